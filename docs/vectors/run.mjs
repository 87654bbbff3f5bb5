// Runs the vectors of one machine: node run.mjs MACHINE.mjs VECTORS.json
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";

const [machine, vectors] = process.argv.slice(2);
const { step } = await import(pathToFileURL(machine));
const file = JSON.parse(readFileSync(vectors, "utf-8"));

// {"ref": NAME} stands for the constant of that name.
function resolved(value) {
  if (Array.isArray(value)) return value.map(resolved);
  if (value === null || typeof value !== "object") return value;
  if ("ref" in value) return file.constants[value.ref];
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolved(one)]));
}

let ran = 0;
let wrong = 0;
function compare(name, { next, answer, facts, illegal }, got) {
  const expected = illegal ? { illegal } : { next, answer, facts };
  ran += 1;
  if (isDeepStrictEqual(got, expected)) return;
  wrong += 1;
  console.log(`${name}\n  expected ${JSON.stringify(expected)}\n  got      ${JSON.stringify(got)}`);
}

for (const one of resolved(file.steps)) compare(one.name, one, step(one.state, one.command, one.now));
for (const trace of resolved(file.traces)) {
  let state = trace.start;
  for (const one of trace.steps) {
    const got = step(state, one.command, one.now);
    compare(trace.name, one, got);
    state = got.next;
  }
}

console.log(`${file.machine} ${file.table.version}: ${ran} steps, ${wrong} wrong`);
process.exitCode = wrong ? 1 : 0;

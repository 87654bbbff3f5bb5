// outbox.delivery once more, in JavaScript, over the values of the vectors: instants and durations are microseconds.
const answer = (type, fields = {}) => ({ type, ...fields });
const stays = (state, said) => ({ next: state, answer: said, facts: [] });
const granted = (next) => ({ next, answer: answer("Granted"), facts: [] });
const ended = (next) => ({ next, answer: answer("Ended"), facts: [] });

const lease = ({ head, token, policy }, attempts, now) => ({
  type: "Leased", head, token, until: now + policy.lease, attempts,
});
const parked = ({ attempts }, reason, now) => ({
  type: "Parked", reason: [...reason].slice(0, 255).join(""), attempts, at: now,
});
const tries = (state, { head }) => (state.head === head ? state.attempts + 1 : 1);

// A wait that lies further ahead than any can is over: the clock went back.
const ahead = (until, now, most) => now < until && until <= now + most;

function delay({ first_delay, longest_delay }, attempts, after, jitter) {
  if (after !== null) return Math.min(Math.max(after, first_delay), longest_delay);
  const doubled = (first_delay / 1e6) * 2 ** Math.min(attempts - 1, 64);
  const seconds = Math.min(doubled, longest_delay / 1e6) * (1 + 0.1 * jitter);
  return Math.min(Math.round(seconds * 1e6), longest_delay);
}

function claimWaiting(state, command, now) {
  if (ahead(state.until, now, command.policy.longest_delay)) return stays(state, answer("NotNow", { until: state.until }));
  return granted(lease(command, tries(state, command), now));
}

function takeOver(state, command, now) {
  if (ahead(state.until, now, command.policy.lease)) return stays(state, answer("NotNow", { until: state.until }));
  if (state.head === command.head && state.attempts >= command.policy.attempts) {
    return ended(parked(state, "lease_lost", now));
  }
  return granted(lease(command, tries(state, command), now));
}

function settle(state, { token, result, jitter, policy }, now) {
  if (state.token !== token) return stays(state, answer("LeaseLost"));
  if (result.type === "Done") return ended({ type: "Delivered" });
  if (result.type === "Drop") return ended({ type: "Dropped", reason: result.reason });
  if (result.type === "Park" || state.attempts >= policy.attempts) return ended(parked(state, result.reason, now));
  const until = now + delay(policy, state.attempts, result.after, jitter);
  const next = { type: "Waiting", head: state.head, until, attempts: state.attempts };
  return { next, answer: answer("TriedAgain", { at: until }), facts: [] };
}

function giveBack(state, { token }, now) {
  if (state.token !== token) return stays(state, answer("LeaseLost"));
  const { head, attempts } = state;
  const next = attempts === 1 ? { type: "Due" } : { type: "Waiting", head, until: now, attempts: attempts - 1 };
  return { next, answer: answer("TriedAgain", { at: now }), facts: [] };
}

function redrive(_state, { expires_at }, now) {
  if (expires_at !== null && now >= expires_at) return ended({ type: "Dropped", reason: "expired" });
  return granted({ type: "Due" });
}

const outrun = (state) => stays(state, answer("LeaseLost"));
const TABLE = {
  Due: { Claim: (_state, command, now) => granted(lease(command, 1, now)), Settle: outrun, GiveBack: outrun },
  Waiting: { Claim: claimWaiting, Settle: outrun, GiveBack: outrun },
  Leased: { Claim: takeOver, Settle: settle, GiveBack: giveBack },
  Parked: { Redrive: redrive },
};

export function step(state, command, now) {
  const rule = TABLE[state.type]?.[command.type];
  return rule ? rule(state, command, now) : { illegal: true };
}

"""The host's side of tracing: OpenTelemetry's SDK takes one provider per process, and this is it."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan


class Tape(SpanExporter):
    """Keeps the spans that end while somebody listens."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.spans is not None:
            self.spans.extend(spans)
        return SpanExportResult.SUCCESS


@cache
def tape() -> Tape:
    """Return what the provider of this process writes to."""
    made, provider = Tape(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace.set_tracer_provider(provider)
    return made


@contextmanager
def traced() -> Iterator[list[ReadableSpan]]:
    """Collect the spans that end inside the block, in the order in which they end."""
    listening = tape()
    listening.spans = spans = []
    try:
        yield spans
    finally:
        listening.spans = None

"""A step of decoding whose shapes are fixed and that nobody waits for: compiled, and a CUDA graph on GPUs.

Everything that a step needs to know, and everything that comes of it, stays on the device: the newest tokens,
whose turn it is to stop, random numbers, lines. One compilation serves all numbers of rows and all widths
(attention is one operation to it: `decoding.slots`); graphs are recorded for each, which takes milliseconds.
Away from GPUs the same step runs as it is.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tracelab.decoding.choosing import choose, logprob, uniform
from tracelab.decoding.slots import Newest, Slots
from tracelab.models.gpt import GPT

RECORDED = ("cuda",)  # devices on which a step is recorded once and then replayed


class Rows(NamedTuple):
    """What slots hold, but for keys and values.

    token: (B,) the newest; column: (B,) where it goes; key: (B,) of the row's random numbers; drawn: (B,)
    tokens so far, of at most limit (B,); done: (B,). tokens, plain, sampled: (B, steps + 1) lines, as in
    `sampling.Lines`; rows that are done write to the last column.
    """

    token: Tensor
    column: Tensor
    key: Tensor
    drawn: Tensor
    limit: Tensor
    done: Tensor
    tokens: Tensor
    plain: Tensor
    sampled: Tensor

    @staticmethod
    def idle(n: int, steps: int, device: torch.device) -> Rows:
        """Rows with nothing to do."""

        def zeros(dtype: torch.dtype, *shape: int) -> Tensor:
            return torch.zeros(n, *shape, dtype=dtype, device=device)

        numbers = {name: zeros(torch.int64) for name in ("token", "column", "key", "drawn", "limit")}
        lines = {name: zeros(torch.float32, steps + 1) for name in ("plain", "sampled")}
        return Rows(**numbers, done=~zeros(torch.bool), tokens=zeros(torch.int32, steps + 1), **lines)

    def first(self, n: int) -> Rows:
        """Views of the first n."""
        return Rows(*(part[:n] for part in self))

    def keep(self, rows: Tensor) -> None:
        """Move these to the front."""
        for part in self:
            part[: len(rows)] = part[rows]

    def put(self, rows: Tensor, others: Rows) -> None:
        """Let these be the others, whose lines have one token."""
        for mine, theirs in zip(self, others, strict=True):
            if mine.ndim == 1:
                mine[rows] = theirs
            else:
                mine[rows, 0] = theirs[:, 0]


class Wish(NamedTuple):
    """What is asked for. stop, temperature: (), on the device, so that other numbers are no other program."""

    greedy: bool
    stop: Tensor
    temperature: Tensor

    @staticmethod
    def of(stop: int, temperature: float, device: torch.device) -> Wish:
        """temperature=0: greedy, with log-probabilities at temperature 1."""
        scale = torch.tensor(temperature or 1.0, device=device)
        return Wish(temperature == 0.0, torch.tensor(stop, device=device), scale)


def draw(rows: Rows, logits: Tensor, wish: Wish) -> None:
    """Give each row that isn't done its next token. logits: (B, vocab_size)."""
    scaled = logits / wish.temperature
    chosen = logits.argmax(-1) if wish.greedy else choose(scaled, uniform(rows.key, rows.drawn))
    going, spare = ~rows.done, rows.tokens.shape[1] - 1
    place = torch.arange(len(logits), device=logits.device), rows.drawn.masked_fill(rows.done, spare)
    rows.tokens.index_put_(place, chosen.int())
    rows.plain.index_put_(place, logprob(logits, chosen))
    rows.sampled.index_put_(place, logprob(scaled, chosen))
    drawn = rows.drawn + going
    done = rows.done | (chosen == wish.stop) | (drawn >= rows.limit)
    rows.token.copy_(chosen)
    rows.drawn.copy_(drawn)
    rows.done.copy_(done)
    rows.column.add_(~done)  # the newest token of a row that is done is never read


def step(model: GPT, slots: Slots, rows: Rows, columns: Tensor, wish: Wish) -> None:
    """Read each row's newest token and draw the next. columns: (width,), see `slots.Newest`."""
    hidden = model.hidden(rows.token[:, None], Newest(slots, rows.column, columns))
    draw(rows, model.logits(hidden[:, -1]), wish)


def is_hooked(model: nn.Module) -> bool:
    """Is anything to be done where a part of the model is called, as by `models.places.change`?

    torch compiles hooks into a program, and then takes that program for models with others, or with none.
    """
    return any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


@functools.cache
def compiled_step() -> Callable[[GPT, Slots, Rows, Tensor, Wish], None]:
    """`step` as one program."""
    return torch.compile(step, fullgraph=True)


class Steps:
    """Steps of the first rows of the slots, again and again.

    compiled: is `step` one program? Where it can't be (no Triton, no C compiler, a ninth shape of models in
    one process), a warning says so, and so where a step can't be recorded. A model with hooks
    (`models.places`) goes step by step: programs and records would leave out what the hooks do.
    """

    def __init__(self, model: GPT, slots: Slots, rows: Rows, wish: Wish, *, compiled: bool) -> None:
        compiled = compiled and not is_hooked(model)
        self.model = model
        self.slots = slots
        self.rows = rows
        self.wish = wish
        self.compiled = compiled
        self.records = rows.token.device.type in RECORDED and not is_hooked(model)
        room = slots.keys[0].shape[2]
        self.columns = torch.arange(room, device=rows.token.device)
        self.graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}
        for part in (*slots.keys, *slots.values) if compiled else ():
            torch._dynamo.maybe_mark_dynamic(part, [0, 2])

    def run(self, n: int, width: int, times: int) -> None:
        """So many steps of the first n rows, looking at the first `width` columns."""
        if self.records and times > 1 and (n, width) not in self.graphs:
            self._once(n, width)  # for real: what is compiled and set up now need not be while recording
            self._record(n, width)
            times -= 1
        for _ in range(times):
            if (n, width) in self.graphs:
                self.graphs[n, width].replay()
            else:
                self._once(n, width)

    def _once(self, n: int, width: int) -> None:
        rows, columns = self.rows.first(n), self.columns[:width]
        if self.compiled:
            dynamo = torch._dynamo  # a second of importing, only where it is used
            for part in (*rows, columns):
                dynamo.maybe_mark_dynamic(part, list(range(part.ndim)))
            try:
                compiled_step()(self.model, self.slots, rows, columns, self.wish)
                return
            except (dynamo.exc.TorchDynamoException, dynamo.exc.FailOnRecompileLimitHit) as error:
                # nothing ran yet
                warnings.warn(f"sampling goes on uncompiled and slower: {error}", stacklevel=2)
                self.compiled = False
        step(self.model, self.slots, rows, columns, self.wish)

    def _record(self, n: int, width: int) -> None:
        try:
            self.graphs[n, width] = self._recorded(n, width)
        except RuntimeError as error:  # nothing ran while it was recorded
            warnings.warn(f"sampling goes on without CUDA graphs and slower: {error}", stacklevel=2)
            self.records = False

    def _recorded(self, n: int, width: int) -> torch.cuda.CUDAGraph:
        """A step as a graph. Nothing it allocates outlives it, so that all graphs share one pool."""
        graph = torch.cuda.CUDAGraph()
        pool = next(iter(self.graphs.values())).pool() if self.graphs else None
        recording = torch.cuda.graph(
            graph,
            pool=pool,
            stream=torch.cuda.current_stream(self.columns.device),
            capture_error_mode="thread_local",  # loaders' threads may go on
        )
        with torch.compiler.set_stance("fail_on_recompile"), recording:
            self._once(n, width)
        return graph


@contextlib.contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Context in which a GPU's work goes to one side stream: on the default one no graph can be recorded."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device):
        stream = _stream(device)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            yield
        torch.cuda.current_stream().wait_stream(stream)


@functools.cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)

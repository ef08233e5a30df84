"""A run card: everything needed to repeat a training, and what came of it.

Plain JSON. ``srlab train card.json`` trains from it, a checkpoint carries it;
``srlab/assets/cards/README.md`` has a table of its fields.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from srlab.files import replacing

SCHEMA = "runcard.schema.json"
"""What saved cards name as ``$schema``; a training writes it beside its card."""
NAME = r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_-])?$"
"""A name becomes a file's: no dot at its beginning, nor at its end, where Windows drops it."""
MAX_STEPS = 10**9
MAX_BYTES = 2_000_000
"""A card with a change after each of ten thousand steps is smaller."""
WRITTEN = (
    "versions", "device", "processes", "seconds", "photographs", "start_sha256", "scores",
)  # fmt: skip
"""What came of a training, written by it; all other fields are what somebody wants."""

Scale = Literal[2, 4, 8]
Positive = Annotated[int, Field(ge=1, le=MAX_STEPS)]
Share = Annotated[float, Field(gt=0, le=0.5)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Rate = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Layer = Annotated[str, Field(pattern=r"^relu([12]_[12]|[345]_[123])$")]
Doubling = Literal["shuffle", "icnr", "resize", "transposed"]
Figure = Annotated[float, Field(allow_inf_nan=False)]  # JSON has neither NaN nor infinity


class Part(BaseModel):
    """A part of a card: types are checked and unknown keys refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ModelSpec(Part):
    """An ``SrResNet``: its size, and how it doubles.

    Args:
        num_features: width.
        num_blocks: depth.
        doubling: the upsampler's stages, as in lesson 04.
    """

    kind: Literal["srresnet"] = "srresnet"
    num_features: Annotated[int, Field(ge=1, le=512)] = 32
    num_blocks: Annotated[int, Field(ge=1, le=256)] = 8
    doubling: Doubling = "shuffle"


class UNetSpec(Part):
    """A ``UNet``: its size and its encoder.

    Args:
        num_features: width at the finest size; the VGG has its own.
        depth: halvings.
        encoder: ``"plain"``, or ``"vgg"`` for the pretrained stand-in.
        doubling: the upsampler's stages; within, it doubles with ICNR.
    """

    kind: Literal["unet"] = "unet"
    num_features: Annotated[int, Field(ge=1, le=512)] = 32
    depth: Annotated[int, Field(ge=1, le=3)] = 2
    encoder: Literal["plain", "vgg"] = "plain"
    doubling: Doubling = "icnr"


def _kind(model: object) -> object:
    """Which of the networks; a card that names none means an SrResNet."""
    if isinstance(model, dict):
        return model.get("kind", "srresnet")
    return getattr(model, "kind", None)


KINDS = ("srresnet", "unet")
LEARNING_RATES = {"srresnet": 2e-3, "unet": 3e-4}
"""What a network bears; all of a UNet's signal passes through convolutions at full weight."""

AnySpec = Annotated[
    Annotated[ModelSpec, Tag(KINDS[0])] | Annotated[UNetSpec, Tag(KINDS[1])],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="kind must be srresnet or unet",
    ),
]


class FeatureSpec(Part):
    """How content and style look at pictures.

    Args:
        layers: VGG's layer -> weight.
        weights: of VGG, as for ``FeatureExtractor``.
        pooling: ``"max"`` or ``"average"``.
        shifts: whether each crop of a batch lies elsewhere on VGG's grid, so
            that no pattern of the upsampler's fits it; takes 8 px of a crop.
    """

    layers: Annotated[dict[Layer, Weight], Field(min_length=1)]
    weights: Literal["embedded", "vgg16", "vgg16_bn"] = "embedded"
    pooling: Literal["max", "average"] = "max"
    shifts: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not any(self.layers.values()):
            raise ValueError("all layers weigh 0, but at least one must be above it")
        missing = [name for name in self.layers if name > "relu4_3"]
        if self.weights == "embedded" and missing:
            raise ValueError(
                f"the embedded weights end at relu4_3, but got {', '.join(missing)}; "
                f'take weights "vgg16"'
            )
        return self


TermName = Literal["l1", "l2", "pixel", "content", "style", "tv", "spectrum"]


class Change(Part):
    """What somebody changed while a stage was running, as with a slider.

    Args:
        after: steps of the stage that were done by then; after the last one it
            counts for whoever goes on.
        weights: term -> new weight; the others stay.
        layers: VGG's layer -> new weight; the others stay.
        learning_rate: the new one, or None if it stayed.
    """

    after: Annotated[int, Field(ge=0)]
    weights: dict[TermName, Weight] = {}
    layers: dict[Layer, Weight] = {}
    learning_rate: Rate | None = None


class Stage(Part):
    """A stretch of training with one scale, one crop size and one loss.

    Args:
        scale: 2, 4 or 8.
        hr_size: side of the sharp crop in px, divisible by the scale.
        batch_size: crops in a step.
        steps: optimizer steps.
        learning_rate: the peak of a cosine schedule, or the constant one; a
            card whose stage names none puts in what its network bears.
        schedule: ``"cosine"`` or ``"constant"``.
        weights: term of the loss -> weight; ``"l1"`` and ``"l2"``, or those
            of the expanded loss: ``"pixel"``, ``"content"``, ``"style"``,
            ``"tv"``, and beside them ``"spectrum"``, for crops of 32 px and
            more.
        features: for content and style.
        pool: how many batches are drawn; then the same come again, in the same
            order. 0 for ever new ones.
        changes: made while it ran, in their order; a learning rate can change
            only where it is constant.
    """

    scale: Scale = 4
    hr_size: Annotated[int, Field(ge=8, le=1024)] = 96
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 8
    steps: Positive = 2400
    learning_rate: Rate = LEARNING_RATES["srresnet"]
    schedule: Literal["cosine", "constant"] = "cosine"
    weights: dict[TermName, Weight] = {"l1": 1.0}
    features: FeatureSpec | None = None
    pool: Annotated[int, Field(ge=0, le=100_000)] = 0
    changes: list[Change] = []

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.hr_size % self.scale:
            raise ValueError(
                f"hr_size is {self.hr_size}, but it must be divisible by scale (={self.scale})"
            )
        if not any(self.weights.values()):
            raise ValueError("all weights are 0, but at least one must be above it")
        self._require_one_loss()
        self._require_possible_changes()
        return self

    def _require_one_loss(self) -> None:
        plain = self.weights.keys() & {"l1", "l2"}
        if plain and plain != self.weights.keys():
            raise ValueError(
                "l1 and l2 stand together with terms of the expanded loss; there L1 is pixel"
            )
        looking = [name for name in ("content", "style") if self.weights.get(name)]
        if looking and self.features is None:
            terms = " and ".join(looking)
            needs = "need" if len(looking) > 1 else "needs"
            raise ValueError(f"{terms} {needs} features; name the layers to look at")

    def _require_possible_changes(self) -> None:
        known = ["pixel", "tv"] if self.is_expanded else ["l1", "l2"]
        known += ["spectrum"] if "spectrum" in self.weights else []
        known += ["content", "style"] if self.features else []
        layers = self.features.layers if self.features else {}
        for change in self.changes:
            strange = [str(n) for n in change.weights if n not in known]
            strange += [n for n in change.layers if n not in layers]
            if strange:
                raise ValueError(f"a change sets {', '.join(strange)}, which the stage has not")
            if change.learning_rate and self.schedule == "cosine":
                raise ValueError(
                    'a change sets the learning rate, but the schedule does; take "constant"'
                )
        places = [change.after for change in self.changes]
        if places != sorted(places) or any(after > self.steps for after in places):
            raise ValueError(
                f"changes come after {places} steps, but in their order and after "
                f"{self.steps} at most was expected"
            )

    @property
    def is_expanded(self) -> bool:
        """Whether the weights are those of the expanded loss."""
        return not self.weights.keys() & {"l1", "l2"}


@dataclass(frozen=True)
class InForce:
    """What a stage weighs and how fast it learns at one moment.

    Args:
        weights: term -> weight.
        layers: VGG's layer -> weight.
        learning_rate: the peak, where a schedule sets it.
    """

    weights: dict[TermName, float]
    layers: dict[Layer, float]
    learning_rate: float


def at_first_step(stage: Stage) -> InForce:
    """What is in force at a stage's first step: changes made before it count.

    Example:
        >>> early = Change(after=0, weights={"l1": 2.0})
        >>> at_first_step(Stage(changes=[early])).weights
        {'l1': 2.0}
    """
    weights, rate = dict(stage.weights), stage.learning_rate
    layers = dict(stage.features.layers) if stage.features else {}
    for change in (change for change in stage.changes if change.after == 0):
        weights |= change.weights
        layers |= change.layers
        rate = change.learning_rate or rate
    return InForce(weights, layers, rate)


def changes_while_running(stage: Stage) -> list[Change]:
    """The changes that some steps were done before, and some after."""
    return [change for change in stage.changes if 0 < change.after < stage.steps]


def folded(stage: Stage) -> Stage:
    """The same stage, with what was set before its first step as its beginning.

    So the weights that a reader finds in a card are those that were in
    force. The training is the same to the bit.

    Returns:
        A stage whose changes come after a step. One that began with nothing
        weighing anything is returned as it is, as no card may say that.
    """
    start, values = at_first_step(stage), stage.model_dump()
    values["weights"], values["learning_rate"] = start.weights, start.learning_rate
    if stage.features:
        values["features"]["layers"] = start.layers
    values["changes"] = [change for change in values["changes"] if change["after"]]
    try:
        return Stage.model_validate(values)
    except ValidationError:
        return stage


class Photographs(Part):
    """Which photographs a training has used; written by it.

    Args:
        training: how many it learned from.
        validation: how many it was judged by.
        sha256: of the names and pixels of all of them.
    """

    training: Positive
    validation: Positive
    sha256: Digest


class RunCard(Part):
    """One training.

    Args:
        format: of the card.
        name: what to call it; letters, digits, ``-``, ``_`` and, within, dots.
        model: the network.
        data: ``"embedded"``, a data set's name, or a folder.
        validation: the photographs that it is judged by: ``"embedded"``, a
            folder, or the share of its own that is kept back for it, such as
            0.1; ``"auto"`` judges embedded data by the embedded photographs,
            and keeps back a tenth of any other, at most 16. A finished card
            says which it was.
        start: ``"untrained"``, or the model to begin with: a shipped one's name
            or a checkpoint file. Weights are carried where name and shape fit.
        seed: of the first weights and of the crops.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"`` for what the machine
            does faster; a finished card says which it was.
        stages: one after the other; the network is carried along.
        optimizer: ``"adam"``, or ``"muon"``, which learns more from each step and
            takes some tenth longer for it.
        share: how far the finished network goes from its start to what the
            training made of it: 1 all the way, 0.5 the mean of both, weight by
            weight. Below 1 it needs a start of the same shape. It counts at
            the end alone, so a training that is resumed may be given another.
        ema: decay of the exponential moving average of the weights, which is
            then what counts and what the next stage begins with; 0 for none.
        validate_every: steps between two looks at the validation photographs;
            0 for none.
        versions: of what made it; written by the training.
        device: what it ran on; written by the training.
        threads: of the processor, on which the last digits depend; 0 for as
            many as torch takes. Written by the training.
        processes: that shared each batch; written by the training.
        seconds: how long it took; written by the training.
        photographs: which it used; written by the training.
        start_sha256: of the file it began with, if any; written by the
            training.
        scores: figure -> value on the validation photographs; written by the
            training.

    Example:
        >>> RunCard(name="short", stages=[Stage(steps=10)]).stages[0].scale
        4
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=NAME)]
    model: AnySpec = ModelSpec()
    data: str = "embedded"
    validation: str | Share = "auto"
    start: str = "untrained"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    stages: Annotated[list[Stage], Field(min_length=1, max_length=32)]
    optimizer: Literal["adam", "muon"] = "adam"
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    validate_every: Annotated[int, Field(ge=0, le=MAX_STEPS)] = 500
    versions: dict[str, str] = {}
    device: str = ""
    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    processes: Positive = 1
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    photographs: Photographs | None = None
    start_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    scores: dict[str, Figure] = {}

    @model_validator(mode="before")
    @classmethod
    def _pass_over_the_schema(cls, values: Any) -> Any:
        """``$schema`` is for editors."""
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if key != "$schema"}

    @field_validator("validation", mode="before")
    @classmethod
    def _require_validation(cls, value: Any) -> Any:
        """One sentence, where pydantic has one for each of the two types."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(value, str) or (number and 0 < value <= 0.5):
            return value
        raise ValueError(
            f'"auto", "embedded", a folder or a share above 0 and at most 0.5 was expected, '
            f"but got {on_one_line(value)}"
        )

    @model_validator(mode="after")
    def _start_somewhere_to_stay_near(self) -> Self:
        if self.share < 1 and self.start == "untrained":
            raise ValueError(
                f"share is {self.share:g}, but there is no start to stay near; "
                f"name one, or leave share at 1"
            )
        return self

    @model_validator(mode="after")
    def _take_a_rate_the_network_bears(self) -> Self:
        rate = {"learning_rate": LEARNING_RATES[self.model.kind]}
        self.stages = [
            stage
            if "learning_rate" in stage.model_fields_set
            else stage.model_copy(update=rate)
            for stage in self.stages
        ]
        return self

    @property
    def scale(self) -> int:
        """The last stage's scale: what the finished network enlarges by."""
        return self.stages[-1].scale

    @property
    def steps(self) -> int:
        """Optimizer steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def to_json(self) -> str:
        """The card as text; its first line lets an editor help who changes it."""
        return json.dumps({"$schema": SCHEMA, **self.model_dump()}, indent=2) + "\n"


def parse_card(values: object, name: str = "the run card") -> RunCard:
    """Check values read from JSON and make a card of them.

    Raises:
        ValueError: one sentence for the first thing that is wrong.
    """
    try:
        return RunCard.model_validate(values)
    except ValidationError as error:
        raise ValueError(f"{name}: {_sentence(error.errors()[0])}") from None
    except RecursionError:
        raise ValueError(f"{name} is nested far too deeply for a run card.") from None


def load_card(path: str | os.PathLike[str]) -> RunCard:
    """Read a run card from a JSON file.

    Raises:
        FileNotFoundError, IsADirectoryError: if there is no such file.
        ValueError: if it is no JSON or no valid card.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, but a run card was expected.")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; check the name.")
    with path.open("rb") as file:
        return read_card(file.read(MAX_BYTES + 1), path.name)


def read_card(data: bytes, name: str = "the file") -> RunCard:
    """Read a run card from the bytes of a JSON file.

    Args:
        data: UTF-8, also with the mark that Notepad puts before it.
        name: what errors call it.

    Raises:
        ValueError: if it is no JSON or no valid card, or far too large for one.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(
            f"{name} is too large for a run card, which has less than "
            f"{MAX_BYTES / 1e6:.0f} MB; choose the JSON file of a card."
        )
    try:
        values = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also for numbers of 5000 digits
        raise ValueError(f"{name} is not JSON ({error}).") from None
    return parse_card(values, name)


def save_card(card: RunCard, path: str | os.PathLike[str]) -> None:
    """Write a run card as JSON, all of it or nothing.

    Raises:
        OSError: if the file cannot be written.
    """
    with replacing(Path(path)) as part:
        part.write_text(card.to_json(), encoding="utf-8")


def place_of(keys: Sequence[str | int]) -> str:
    """Where something stands in a card, as people count.

    Example:
        >>> place_of(["stages", 0, "changes", 1, "after"])
        'stage 1: change 2: after'
    """
    words = ""
    for key, following in zip(keys, [*keys[1:], None], strict=False):
        if isinstance(key, int):
            words = f"{words.removesuffix('s')} {key + 1}: "
        else:
            name = key if key.isprintable() else repr(key)
            words += f"{name}." if isinstance(following, str) else name
    return words.removesuffix(": ")


def _sentence(error: Any) -> str:
    """One sentence for one of pydantic's findings."""
    place = place_of([key for key in error["loc"] if key not in KINDS]) or "the card"
    if error["type"] == "extra_forbidden":
        return f"{place} is an unknown key; remove it or correct its spelling."
    if error["type"] == "missing":
        return f"{place} is missing; add it."
    if error["type"] == "value_error":  # one of ours, with the values in it
        return f"{place}: {error['msg'].removeprefix('Value error, ')}."
    return f"{place}: {error['msg']}, but got {on_one_line(error['input'])}."


def on_one_line(value: object) -> str:
    """A value on one line, not too long; not even a monstrous one is in the way."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # too deep, or a number of 5000 digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."

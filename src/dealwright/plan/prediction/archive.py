"""A fitted predictor as bytes and back, without the surprises of a pickle.

The bytes say what they are before anything is loaded: format, the version of NumPy, the features'
fingerprint, a checksum. Loading refuses another version or a damaged file, and may only build the few classes
a predictor consists of: a crafted file cannot run code through a name that is not on the list.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from importlib.metadata import version
from typing import Any, Final

from dealwright.errors import InputError
from dealwright.plan.prediction.learning import Predictor
from dealwright.plan.prediction.model_store import OutdatedModelError

_FORMAT: Final = b"dealwright predictor "
_MAGIC: Final = _FORMAT + b"3\n"
_LIBRARIES: Final = ("numpy",)
_ALLOWED: Final = {
    "numpy": {"dtype", "float64", "ndarray"},
    "numpy._core.multiarray": {"scalar", "_reconstruct"},
    "numpy._core.numeric": {"_frombuffer"},
    "dealwright.plan.prediction.additive": {"AdditiveModel"},
    "dealwright.plan.prediction.calibration": {"Calibration"},
    "dealwright.plan.prediction.candidates": {
        "BaseRate",
        "Blend",
        "Probability",
        "Rules",
        "Scaled",
        "TwoPart",
    },
    "dealwright.plan.prediction.design": {"FeatureSchema"},
    "dealwright.plan.prediction.learning": {"Predictor"},
    "dealwright.plan.prediction.trees": {"Encoder", "SymmetricTrees"},
}


def packed(predictor: Predictor) -> bytes:
    """Return a predictor as bytes; equal predictors give equal bytes."""
    payload = pickle.dumps(predictor, protocol=5)
    header = {
        "libraries": {name: version(name) for name in _LIBRARIES},
        "schema": predictor.schema.fingerprint,
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    return _MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n" + payload


def unpacked(content: bytes) -> Predictor:
    """Return the predictor of `packed` bytes.

    Raises
    ------
    InputError
        These are no such bytes, they are damaged, or name a class that no predictor consists of.
    OutdatedModelError
        They were written with other versions of the libraries, or of Dealwright.
    """
    if content.startswith(_FORMAT) and not content.startswith(_MAGIC):
        raise OutdatedModelError(
            "the predictor was written by another version of Dealwright: train a new model, or install that "
            "version"
        )
    if not content.startswith(_MAGIC):
        raise InputError("this file holds no Dealwright predictor: train a new model")
    line, _, payload = content[len(_MAGIC) :].partition(b"\n")
    try:
        header = json.loads(line)
        written, checksum, fingerprint = header["libraries"], header["sha256"], header["schema"]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            "the predictor's file is damaged (its header cannot be read): train a new model"
        ) from None
    for name in _LIBRARIES:
        if written.get(name) != version(name):
            raise OutdatedModelError(
                f"the predictor was written with {name} {written.get(name)}, here is {version(name)}: "
                "train a new model, or install that version"
            )
    if hashlib.sha256(payload).hexdigest() != checksum:
        raise InputError("the predictor's file is damaged (its checksum differs): train a new model")
    predictor = _Reader(io.BytesIO(payload)).load()
    if not isinstance(predictor, Predictor) or predictor.schema.fingerprint != fingerprint:
        raise InputError("the predictor's file does not hold the features it says: train a new model")
    return predictor


class _Reader(pickle.Unpickler):
    """An unpickler that builds nothing but the parts of a predictor."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed class; any other is refused."""
        if name not in _ALLOWED.get(module, ()):
            raise InputError(
                f"the predictor's file names {module}.{name}, which no predictor needs: do not use it"
            )
        return super().find_class(module, name)

"""Keep fitted models in a folder: ``NAME/VERSION.model`` with its card, and which version is the champion.

A file says which versions wrote it, is checked against them, and cannot run code: see
`dealwright.plan.prediction.archive`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dealwright.errors import InputError
from dealwright.plan.prediction.archive import packed, unpacked
from dealwright.plan.prediction.model_store import OutdatedModelError, StoredModel

_CHAMPION: Final = "champion"


@dataclass(frozen=True)
class FolderModelStore:
    """A `ModelStore` in a folder, made when first needed; a file is written whole or not at all."""

    folder: Path

    def champion(self, name: str) -> StoredModel | None:
        """Return the promoted version, or ``None``.

        Raises
        ------
        InputError
            The champion cannot be loaded: its file is damaged or missing.
        OutdatedModelError
            It was written with another version of NumPy, or of Dealwright.
        """
        pointer = self.folder / name / _CHAMPION
        if not pointer.exists():
            return None
        version = pointer.read_text(encoding="utf-8").strip()
        path = self.folder / name / f"{version}.model"
        try:
            model = unpacked(path.read_bytes())
            card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        except OutdatedModelError as error:
            raise OutdatedModelError(f"the model {path}: {error}") from None
        except (InputError, OSError, ValueError) as error:
            raise InputError(
                f"cannot load the model {path}: {error}; delete {pointer} and run again to promote a new one"
            ) from None
        return StoredModel(name, version, model, card)

    def save(self, name: str, model: Any, card: Mapping[str, Any]) -> str:
        """Keep a model and its card; the version is a hash of the content."""
        content = packed(model)
        version = hashlib.sha256(content).hexdigest()[:16]
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{version}.model", content)
        _write(folder / f"{version}.json", json.dumps(card, indent=2, default=str).encode())
        return version

    def promote(self, name: str, version: str) -> None:
        """Make a saved version the champion."""
        if not (self.folder / name / f"{version}.model").exists():
            raise InputError(f"no model {name} {version} in {self.folder}: save it first")
        _write(self.folder / name / _CHAMPION, version.encode())


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)

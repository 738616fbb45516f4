"""Notes the words of a source document, so that no sentence of it is taken over (`make document FILE=text.txt`).

The document itself is not ours to ship; a digest of each run of eight words stands in for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bot.knowledge.loader import DOCUMENT_PHRASES, FOLDER, phrase_digests


def note(document: Path, folder: Path = FOLDER) -> int:
    """Adds the digests of a document's text to a knowledge folder and gives how many were new."""
    path = folder / DOCUMENT_PHRASES
    known = set(path.read_text(encoding="utf-8").split())
    every = known | set(phrase_digests(document.read_text(encoding="utf-8")))
    path.write_text("\n".join(sorted(every)) + "\n", encoding="utf-8")
    return len(every) - len(known)


def main() -> int:
    """Notes the file that is named."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "")
    if not file.is_file():
        print("Name the document's text, saved as UTF-8: make document FILE=text.txt", file=sys.stderr)
        return 1
    print(f"{note(file)} runs of words are noted. How to go on: docs/editing.md, “A document”.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

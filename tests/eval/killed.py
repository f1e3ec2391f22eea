"""The process that is killed: it evaluates a recipe's block against a server of the test."""

import json
import sys
from pathlib import Path

from eval.block import Eval
from eval.pose import Setting
from eval.sample import evaluate

if __name__ == "__main__":
    folder, block = Path(sys.argv[1]), json.loads(sys.argv[2])
    done = evaluate(Eval.model_validate(block), Setting(folder, "demo", quiet=True))
    done.raise_for_errors()

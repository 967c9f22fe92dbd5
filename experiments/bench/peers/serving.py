"""What workers (worker.py) of PyTorch's and other programs' side say and hear."""
import json


def say(figures):
    print(json.dumps(figures), flush=True)


def serve(one_pass):
    """Answers each line "run" of standard input with the figures of one_pass(), until it ends."""
    while True:
        try:
            line = input()
        except EOFError:
            break
        if line != "run":
            raise SystemExit(f'standard input: "{line}" is not "run"')
        say(one_pass())

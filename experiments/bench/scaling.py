"""How our time per token grows with the batch, the length of the texts, and the threads; on synthetic texts."""
from statistics import median

import texts
from comparisons import our_command
from progress import timed
from worker import Worker

BATCHES = [16, 32, 64, 128, 256, 512]
LENGTHS = [8, 16, 32, 64, 128, 256, 512]
USUAL_BATCH, USUAL_LENGTH = 32, 16
PASSES = 3
TOKENS_MIN = 16384  # of a pass: at least, and at least one batch


def points(threads):
    """(series, texts a batch, tokens a text, threads)"""
    yield from (("batch", batch, USUAL_LENGTH, threads) for batch in BATCHES)
    yield from (("length", USUAL_BATCH, length, threads) for length in LENGTHS)
    yield from (("threads", USUAL_BATCH, length, count) for length in (USUAL_LENGTH, 128) for count in (1, threads))


def _measure(series, batch, tokens, threads, settings, precision, folder):
    rows = max(-(-TOKENS_MIN // (batch * tokens)), 1) * batch
    file = folder / f"scaling-{batch}-{tokens}.tsv"
    texts.write_rows(file, texts.repeated_words(settings.tokenizer, rows, tokens))
    worker = Worker(f"scaling {precision}", our_command("distil", precision, settings.model, file, batch, threads,
                                                        settings.seed, program=settings.program))
    try:
        worker.wait_until_ready()
        worker.run()
        passes = [worker.run() for _ in range(PASSES)]
    finally:
        worker.close()
    seconds = median(figures["seconds"] for figures in passes)
    return dict(series=series, precision=precision, batch=batch, tokens=tokens, threads=threads,
                microseconds_per_token=1e6 * seconds / passes[0]["tokens"],
                examples_per_second=passes[0]["examples"] / seconds,
                peak_rss_bytes=max(figures["peak_rss_bytes"] for figures in passes))


def run(settings, progress, folder, precision="fp16"):
    todo = list(points(settings.threads))
    progress.expect("scaling", len(todo), 7.0)
    results = []
    for point in todo:
        progress.show("scaling: {}, {} texts of {} tokens, {} threads".format(*point))
        result, seconds = timed(lambda: _measure(*point, settings, precision, folder))
        progress.done("scaling", seconds)
        results.append(result)
    return results

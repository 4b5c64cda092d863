"""Processes that tell stories: order of events, threads, compiling; progress on terminals."""

import io

import numpy as np
import pytest
from scipy import stats

from skreg.demo import _workers
from skreg.demo._intervals import Interval, in_words, mean_over_seeds, mean_ratio
from skreg.demo._progress import Progress
from skreg.demo._registry import STORIES, in_start_order
from skreg.demo._shown import shown_source
from skreg.demo._workers import COMPILING, FAILED, STARTED, TOLD, run_stories


def test_events_of_each_story_are_in_order_and_compiling_is_told_once_each(tell_toys):
    stories = tell_toys("toy-compiles", "toy-well", "toy-threads")
    stories["again"] = "toy_compiles"
    events = list(run_stories(stories, 0, 1))
    kinds = {name: [event.kind for event in events if event.story == name] for name in stories}
    assert kinds == {
        "toy-compiles": [STARTED, COMPILING, TOLD],
        "toy-well": [STARTED, TOLD],
        "toy-threads": [STARTED, TOLD],
        "again": [STARTED, COMPILING, TOLD],
    }
    told = {event.story: event.content for event in events if event.kind == TOLD}
    assert told["toy-compiles"].n_compiled == 1
    assert told["toy-threads"].sentence == "<measured> 1"
    assert told["toy-well"].title == "A toy story"


def test_a_process_that_cannot_start_is_a_failure(tell_toys, monkeypatch):
    def refuse():
        raise BlockingIOError("resource temporarily unavailable")

    monkeypatch.setattr(_workers, "_start_process", refuse)
    events = list(run_stories(tell_toys("toy-well"), 0, 1))
    assert [event.kind for event in events] == [STARTED, FAILED]
    assert "no process could be started" in events[-1].content


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_one_line_that_is_rewritten():
    stream = Terminal()
    progress = Progress(stream)
    progress.begin("a")
    progress.begin("b", "compiling, first run only")
    progress.end("a")
    progress.restore()
    assert "\n" not in stream.getvalue()
    lines = [line for line in stream.getvalue().split("\r\x1b[K") if line]
    assert lines[-2:] == [
        "running: a, b (compiling, first run only)",
        "running: b (compiling, first run only)",
    ]


def test_elsewhere_each_thing_that_begins_is_a_line():
    stream = io.StringIO()
    progress = Progress(stream)
    progress.begin("a")
    progress.begin("a", "compiling, first run only")
    progress.end("a")
    progress.restore()
    assert stream.getvalue() == "running: a\nrunning: a (compiling, first run only)\n"


def test_intervals_are_those_of_scipy():
    values = np.random.default_rng(0).normal(size=9)
    oracle = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    np.testing.assert_allclose(mean_over_seeds(values)[1:], oracle)
    ratio = mean_ratio(np.exp(values), np.ones(9))
    np.testing.assert_allclose(ratio, np.exp([values.mean(), *oracle]))


def test_an_interval_that_covers_a_value_is_on_no_side():
    assert [Interval(1.0, 0.5, 2.0).side_of(value) for value in (0.4, 1.5, 3.0)] == [1, 0, -1]
    assert mean_over_seeds([1.0]).side_of(0.0) == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.02, "20 ms"), (2.0, "2.0 s"), (120.0, "2 min"), (47_000, "13 hours")]
)
def test_times_in_the_unit_that_a_reader_would_take(seconds, words):
    assert in_words(seconds) == words


def test_stories_begin_in_an_order_that_holds_all():
    assert sorted(in_start_order(list(STORIES))) == sorted(STORIES)


def test_shown_code_stands_alone():
    namespace = {}
    exec(shown_source(mean_over_seeds).replace(" -> Interval", ""), namespace | globals())
    assert "import numpy as np" in shown_source(mean_over_seeds)
    assert "import NamedTuple" not in shown_source(mean_over_seeds)

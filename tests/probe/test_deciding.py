"""Each finding by itself: what was seen goes in, a value or an honest "not found out" comes out."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from infin8_async import BEIJING, Cdr, CdrPage, CdrQuery, ParameterError, ResponseError, TransportError
from infin8_async.probe import NOT_FOUND_OUT, Finding
from infin8_async.probe._advice import advice
from infin8_async.probe._asking import Look
from infin8_async.probe._carriage import clock_skew, compression, https, keep_alive, latency
from infin8_async.probe._observed import Observed, alike
from infin8_async.probe._order import order, ties
from infin8_async.probe._pages import counts, largest_page, page_beyond_end, page_cap
from infin8_async.probe._rate import most_in_flight, rate_limit, useful_concurrency
from infin8_async.probe._rows import duration_includes_talk, unknown_fields, unknown_values
from infin8_async.probe._watch import Round, lateness
from infin8_async.probe._windows import RULES, Timelines, next_trial, time_compared

NOON = datetime(2020, 6, 10, 12, tzinfo=BEIJING)
DAY = CdrQuery("2020-06-10 00:00:00", "2020-06-11 00:00:00")
SECOND = timedelta(seconds=1)


def cdr(number: int, second: int, **fields) -> Cdr:
    return Cdr(id=number, starttime=NOON + second * SECOND, **fields)


def look(*cdrs: Cdr, total: int | None = None, per_page: int = 1000, **fields) -> Look:
    page = CdrPage(cdrs, 1, per_page, len(cdrs) if total is None else total)
    return Look(query=DAY, page=page, **fields)


def error(what: Exception, **fields) -> Look:
    return Look(query=DAY, error=what, **fields)


def seen(*looks: Look, **parts) -> Observed:
    return Observed([*looks, *(look for part in parts.values() if isinstance(part, list) for look in part)], **parts)


class TestOrder:
    def test_if_two_orders_fit_none_is_named(self):
        rows = look(*(cdr(100 - number, 100 - number) for number in range(50)))
        found = order(seen(base=[rows, rows]))
        assert found.value == NOT_FOUND_OUT
        assert "newest and id descending both fit" in found.evidence

    def test_rows_sorted_by_another_time_are_not_called_unsorted(self):
        places = [(7919 * number) % 50 for number in range(50)]
        rows = look(*(cdr(place, 50 - place, endtime=NOON + n * SECOND) for n, place in enumerate(places)))
        unsorted = look(*(evolve(row, endtime=None) for row in rows.cdrs))
        assert [order(seen(base=[it, it])).value for it in (rows, unsorted)] == [NOT_FOUND_OUT, "none"]

    def test_one_row_out_of_place_is_no_order_and_no_disorder(self):
        rows = [cdr(7 * number % 60, 60 - number) for number in range(60)]
        rows[30], rows[40] = rows[40], rows[30]
        assert order(seen(base=[look(*rows)] * 2)).value == NOT_FOUND_OUT

    def test_a_pair_that_ties_shows_nothing_before_it_was_looked_at_seven_times(self):
        rows = [cdr(7 * number % 60, 100 - number) for number in range(60)]
        rows[31] = cdr(rows[31].id, 70)
        values = [ties(seen(base=[look(*rows)] * looks)).value for looks in (7, 8)]
        assert values == [NOT_FOUND_OUT, "stable"]
        other = [*rows[:30], rows[31], rows[30], *rows[32:]]
        assert ties(seen(base=[look(*rows), look(*other)])).value == "unstable"


@pytest.mark.parametrize(
    ("some", "others", "same"),
    [
        ((), (), False),
        ((1,), (2,), False),
        ((1,), (1,), True),
        (range(10), range(1, 11), True),
        (range(9), range(3, 12), False),
    ],
)
def test_pages_are_alike_if_nearly_all_rows_are_the_same(some, others, same):
    assert alike(some, others) == same


class TestWindows:
    CALLS = tuple(
        cdr(n, 40 * n, answertime=NOON + (40 * n + 7) * SECOND, endtime=NOON + (40 * n + 90) * SECOND)
        for n in range(40)
    )

    def test_a_trial_tells_rules_apart_and_fits_on_a_page(self):
        observed = seen(wide=[look(*self.CALLS)])
        window = next_trial(observed, DAY, most_rows=5)
        given = Timelines(self.CALLS).given
        by = {rule: given(rule, *window.ends) for rule in RULES}
        assert len(set(by.values())) > 4
        assert max(len(ids) for rule, ids in by.items() if rule.time != "none") <= 5

    def test_calls_without_any_time_can_be_tried_in_no_window(self):
        assert next_trial(seen(wide=[look(Cdr(id=1), Cdr(id=2))]), DAY, most_rows=5) is None
        assert time_compared(seen()).value == NOT_FOUND_OUT


class TestPages:
    def full(self, rows: int, asked: int, total: int = 9999, per_page: int = 100) -> Look:
        return look(*(cdr(n, n) for n in range(rows)), total=total, per_page=per_page, asked=asked)

    def test_a_cap_has_to_be_seen_twice(self):
        once = seen(wide=[self.full(100, 1000)])
        twice = seen(wide=[self.full(100, 1000)], larger=[self.full(100, 5000)])
        assert (largest_page(once).value, page_cap(once).value) == (NOT_FOUND_OUT, NOT_FOUND_OUT)
        assert (largest_page(twice).value, page_cap(twice).value) == ("100", "echoed")

    def test_a_platform_that_falls_back_to_a_small_page_has_no_cap_that_is_named(self):
        observed = seen(wide=[self.full(300, 1000, total=300)], larger=[self.full(10, 5000), self.full(10, 5000)])
        assert largest_page(observed).value == NOT_FOUND_OUT

    def test_a_size_that_is_refused_says_so(self):
        observed = seen(wide=[self.full(300, 1000, total=300)], larger=[error(ParameterError(1001, ""), asked=5000)])
        assert "5,000 were refused" in largest_page(observed).evidence

    def test_one_page_of_all_is_neither_the_first_nor_the_last(self):
        all_of_it = self.full(8, 10, total=8)
        observed = seen(base=[all_of_it] * 2, first=[all_of_it], last=[all_of_it], beyond=[all_of_it] * 2)
        assert page_beyond_end(observed).value == NOT_FOUND_OUT

    def test_an_answer_that_did_not_come_whole_is_no_error_of_the_platform(self):
        base = [self.full(50, 1000, total=50)] * 2
        for what, value in (
            (ParameterError(1001, ""), "error"),
            (ResponseError(500, 1, ""), "error"),
            (TransportError(""), NOT_FOUND_OUT),
        ):
            assert page_beyond_end(seen(base=base, beyond=[error(what)] * 2)).value == value

    def test_a_count_that_is_ahead_of_its_rows_does_not_lag(self):
        large, rows = self.full(300, 1000), [cdr(n, n) for n in range(20)]
        behind, ahead = look(*rows, total=15), look(*rows, total=30)
        assert counts(seen(large, behind)).value == "lag"
        assert counts(seen(large, behind, ahead)).value == NOT_FOUND_OUT
        assert counts(seen(large, look(*rows))).value == NOT_FOUND_OUT


class TestCarriage:
    def at(self, date: str | None, sent: float, came: float) -> Look:
        start = datetime(2020, 6, 10, 4, tzinfo=UTC)
        headers = {} if date is None else {"Date": f"Wed, 10 Jun 2020 {date} GMT"}
        return look(headers=headers, sent=start + sent * SECOND, came=start + came * SECOND)

    def test_each_date_narrows_the_skew_down(self):
        one = self.at("04:01:00", 0.2, 0.3)
        other = self.at("04:01:01", 0.4, 0.5)
        assert clock_skew(seen(one)).value == "60"
        assert "between 60.50 and 60.80 s" in clock_skew(seen(one, other)).evidence
        assert clock_skew(seen(one, other)).value == "61"

    def test_dates_that_contradict_each_other_and_dates_that_cant_be_read_show_nothing(self):
        contradicting = [self.at("04:01:00", 0.2, 0.3), self.at("05:01:00", 0.2, 0.3)]
        assert clock_skew(seen(*contradicting)).value == NOT_FOUND_OUT
        assert clock_skew(seen(self.at(None, 0, 1), self.at("26:00:00", 0, 1))).value == NOT_FOUND_OUT

    def test_now_and_then_a_closed_connection_is_still_kept_alive(self):
        def closing(number):
            return seen(*(look(headers={"Connection": "close"} if n < number else {}) for n in range(20)))

        assert [keep_alive(closing(number)).value for number in (0, 1, 10, 20)] == ["yes", "yes", NOT_FOUND_OUT, "no"]

    def test_small_bodies_say_nothing_of_compression(self):
        large = look(*(cdr(n, n) for n in range(10)), headers={"Content-Encoding": "br"})
        assert compression(seen(look(), large)).value == "br"
        assert compression(seen(look())).value == NOT_FOUND_OUT

    def test_a_median_needs_three_answers(self):
        times = [look(seconds=seconds) for seconds in (0.5, 0.03, 0.02)]
        assert latency(seen(first=times)).value == "30"
        assert latency(seen(first=times[:2])).value == NOT_FOUND_OUT

    def test_another_site_by_https_is_not_the_platform(self):
        assert https(seen(https=error(ResponseError(404, None, "")))).value == NOT_FOUND_OUT
        assert https(seen(https=error(ParameterError(1001, "")))).value == "answers"


class TestRows:
    def test_durations_that_fit_neither_meaning_show_nothing(self):
        def calls(duration):
            times = {"answertime": NOON + 10 * SECOND, "endtime": NOON + 70 * SECOND}
            return seen(look(*(cdr(n, 0, billsec=60, duration=duration, **times) for n in range(9))))

        assert [duration_includes_talk(calls(s)).value for s in (10, 70, 60)] == ["no", "yes", NOT_FOUND_OUT]

    def test_names_of_fields_that_could_be_data_are_not_shown(self):
        rows = look(cdr(1, 1, extra={"13800138000": 1, "uuid": 2, "n13800138000": 3}))
        found = unknown_fields(seen(rows))
        assert (found.value, "1380" in found.evidence) == ("uuid", False)

    def test_codes_of_the_sibling_interface_are_known_and_others_are_not(self):
        rows = [look(cdr(1, 1, hangupdirection=code)) for code in ("10041", "10015", "callee", "")]
        assert [unknown_values(seen(it)).value for it in rows] == ["none", "hangupdirection", "none", "none"]
        assert "10041" in unknown_values(seen(rows[0])).evidence


class TestRate:
    def burst(self, number: int, seconds: float) -> list[Look]:
        return [look(seconds=seconds, ended=seconds) for _ in range(number)]

    def test_the_fewest_at_once_that_are_as_quick_as_more(self):
        bursts = [self.burst(1, 0.1), self.burst(2, 0.1), self.burst(4, 0.2), self.burst(8, 0.4)]
        assert useful_concurrency(bursts).value == "2"
        assert useful_concurrency(bursts[:3]).value == NOT_FOUND_OUT

    def test_requests_that_the_session_held_back_show_nothing(self):
        held = [look(seconds=0.1, ended=0.1 + n * 0.1) for n in range(8)]
        bursts = [self.burst(1, 0.1), self.burst(2, 0.1), self.burst(4, 0.1), held]
        assert most_in_flight(held) == 1
        assert useful_concurrency(bursts).value == NOT_FOUND_OUT

    def step(self, rate: float, number: int, *, refused: bool = False) -> list[Look]:
        looks = [look(seconds=0.1, ended=n / rate) for n in range(number)]
        return [*looks, error(ResponseError(429, 1, ""))] if refused else looks

    def test_the_limit_is_the_rate_before_the_one_that_was_refused(self):
        good = [self.step(4, 8), self.step(8, 16), self.step(16, 32)]
        assert rate_limit(good).value == "none seen"
        assert rate_limit([*good[:2], self.step(16, 9, refused=True)]).value == "8"
        assert rate_limit([self.step(4, 3, refused=True)]).value == NOT_FOUND_OUT
        assert rate_limit(good[:2]).value == NOT_FOUND_OUT
        assert rate_limit([self.step(2, 8)]).value == NOT_FOUND_OUT


class TestLateness:
    def round(self, second: int, *cdrs: Cdr) -> Round:
        return Round(NOON + second * SECOND, NOON + (second + 1) * SECOND, {it.id: it for it in cdrs})

    def test_it_is_the_longest_way_from_dialling_to_being_there(self):
        old, new, later = cdr(1, -500), cdr(2, 10, endtime=NOON + 50 * SECOND), cdr(3, 80)
        found = lateness([self.round(0, old), self.round(60, old, new), self.round(90, old, new, later)])
        assert found.value == "51"
        assert "2 calls appeared" in found.evidence
        assert "at most 11 s after they ended; the latest 0 to 51 s after it was dialled" in found.evidence

    def test_it_says_whether_calls_change_or_vanish(self):
        one, two = cdr(1, 0), cdr(2, 0)
        found = lateness([self.round(0, one, two), self.round(30, evolve(one, billsec=9))])
        assert found.value == NOT_FOUND_OUT
        assert "of 2 calls 1 changed and 1 vanished" in found.evidence


def test_advice_can_be_pasted_and_says_nothing_of_what_was_not_found_out():
    values = {
        "largest_page": "300", "useful_concurrency": "4", "rate_limit": "8", "lateness": "1500", "clock_skew": "-95",
    }  # fmt: skip
    lines = advice({name: Finding(value, "") for name, value in values.items()})
    for text in ("--per-page 300", "--concurrency 4", "--max-rate 8", "lookback=timedelta(minutes=50)"):
        assert any(line.startswith(text) for line in lines), text
    usual = {
        "largest_page": "1000",
        "useful_concurrency": "8",
        "rate_limit": "none seen",
        "clock_skew": "2",
        "ids": "unique",
    }
    assert advice({name: Finding(value, "") for name, value in usual.items()}) == []
    assert advice(dict.fromkeys(values, Finding(NOT_FOUND_OUT, ""))) == []

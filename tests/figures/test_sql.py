"""The same figures, by SQL over the exported Parquet: another program, another language, another way to count."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest

from infin8_async import CdrQuery, Infin8Session
from infin8_async.export import to_parquet
from infin8_async.figures import Share, Tally, figures
from infin8_async.testing import Sandbox

ZONE = ZoneInfo("America/Mexico_City")
CALLS = """
    CREATE TABLE calls AS SELECT
        *,
        epoch(starttime)::BIGINT AS dialled,
        epoch(answertime)::BIGINT AS began,
        epoch(answertime)::BIGINT + billsec AS ended,
        answertime IS NOT NULL OR billsec > 0 AS answered,
        context = 'callin' AS incoming,
        right(CASE context WHEN 'callin' THEN disnumber ELSE callnumber END, 10) AS customer,
        starttime AT TIME ZONE 'America/Mexico_City' AS there
    FROM '{file}'
"""


@pytest.fixture
async def session():
    async with (
        Sandbox(3000, days=3, seed=5) as sandbox,
        Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session,
    ):
        # So that some of the made-up customers are talked to again.
        for minute in range(0, 60, 3):
            number = f"1390000{minute % 7:04}"
            numbers = {"context": "callin", "disnumber": number, "callnumber": "0100"}
            if minute % 5 == 0:
                numbers = {"context": "callout", "disnumber": "0100", "callnumber": f"+86{number}"}
            start = f"2020-06-11 10:{minute:02}:00"
            answer = {"answertime": start, "billsec": 30} if minute % 2 else {"answertime": "", "billsec": 0}
            sandbox.add_call(**numbers, **answer, starttime=start, endtime=f"2020-06-11 10:{minute:02}:30")
        yield session


async def test_sql_comes_to_the_same(session, tmp_path):
    query = CdrQuery("2020-06-10 00:00:00", "2020-06-13 00:00:00")
    await to_parquet(session.cdrs(query), tmp_path / "calls.parquet")
    made = await figures(session.cdrs(query), zone=ZONE, by="extnumber")
    with duckdb.connect() as database:
        database.execute(CALLS.format(file=tmp_path / "calls.parquet"))

        def rows(sql):
            return database.execute(sql).fetchall()

        def row(sql):
            (only,) = rows(sql)
            return only

        assert made.calls == 3020
        assert (made.answered.part, made.talk_time, made.billed, made.short_calls.part) == row("""
            SELECT count(*), to_seconds(sum(billsec)), to_seconds(sum(60 * ceil(billsec / 60))::INT),
                count(*) FILTER (billsec < 6)
            FROM calls WHERE answered
        """)
        waiting = made.time_to_answer
        assert (waiting.p50, waiting.p90, waiting.mean) == row("""
            SELECT min(wait) FILTER (rank >= 0.5 * n), min(wait) FILTER (rank >= 0.9 * n), avg(wait)
            FROM (
                SELECT began - dialled AS wait, row_number() OVER (ORDER BY wait) AS rank, count(*) OVER () AS n
                FROM calls WHERE answered
            )
        """)
        incoming, missed, within = row("""
            SELECT count(*), count(*) FILTER (NOT answered), count(*) FILTER (began - dialled <= 20)
            FROM calls WHERE incoming
        """)
        assert (made.missed, made.within) == (Share(missed, incoming), Share(within, incoming))
        (unreturned,) = row("""
            SELECT count(*) FROM calls AS lost WHERE incoming AND NOT answered AND NOT EXISTS (
                FROM calls WHERE answered AND customer = lost.customer AND dialled > lost.dialled
            )
        """)
        assert made.unreturned == Share(unreturned, missed)
        assert 0 < unreturned < missed
        assert (
            made.most_at_once.calls
            == row("""
            SELECT max(level) FROM (
                SELECT sum(change) OVER (ORDER BY second, change) AS level
                FROM (
                    SELECT began AS second, 1 AS change FROM calls WHERE billsec > 0
                    UNION ALL SELECT ended, -1 FROM calls WHERE billsec > 0
                )
            )
        """)[0]
        )
        assert {int(hour.timestamp()): round(erlangs * 3600) for hour, erlangs in made.erlangs.items()} == dict(
            rows("""
                SELECT hour, sum(least(ended, hour + 3600) - greatest(began, hour))::BIGINT
                FROM calls, range(began // 3600 * 3600, ended, 3600) AS hours(hour)
                WHERE billsec > 0 GROUP BY hour
            """)
        )
        assert (made.double["a"].part, made.double["b"].part, made.double["a"].whole) == row("""
            SELECT count(aanswertime), count(*) FILTER (answered), count(*) FROM calls WHERE callmethod = '4'
        """)
        for tallies, key in (
            (made.by_hour, "hour(there)"),
            (made.by_weekday_hour, "(isodow(there) - 1, hour(there))"),
            (made.by_day, "there::DATE"),
        ):
            assert tallies == {
                key: Tally(calls, answered, timedelta(seconds=talked))
                for key, calls, answered, talked in rows(f"""
                    SELECT {key}, count(*), count(*) FILTER (answered), sum(billsec)::BIGINT FROM calls GROUP BY 1
                """)
            }
        assert {name: (group.calls, group.answered.part) for name, group in made.groups.items()} == {
            name: (calls, answered)
            for name, calls, answered in rows("""
                SELECT extnumber, count(*), count(*) FILTER (answered) FROM calls GROUP BY 1
            """)
        }

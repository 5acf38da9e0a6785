"""
One pull: the pages of a window in order, each call once, and a proof that none is missing.

Why page numbers lie
====================

The platform cuts pages from a list that changes while it is read. Calls appear when they end, at their dial time, so
anywhere in the list; each one pushes all calls behind it one place further. Take pages of two, newest call first::

    the list         page 1    page 2    page 3
    5 4 3 2 1        5 4       3 2       1

Pages 2 and 3 are asked for at once. Page 3 is cut first: it holds call 1. Then call 6 ends. Page 2 is cut from the new
list, 6 5 | 4 3 | 2 1, and holds 4 and 3. The reader got 5 4, 4 3 and 1. Call 4 came twice, which ids show, and call 2
never came, which nothing shows.

Comparing counts helps less than it seems to. Each answer holds a count, and a PHP service gets it with one query and
the rows with another. If call 6 ends between the two, page 2 says "5 calls" and holds 4 and 3. Every answer then says
5. If another old call is removed in the meantime, even the numbers of calls agree: received five, counted five.

What can't be fooled
====================

1. **A first page that is not full is the whole window.** One query read all rows there were, at one moment. It does not
   matter what the count says. A full page shows nothing, and the size of a full page is known from full pages only.
2. **Count, rows and known calls that agree.** After all pages of a window have come, one more request fetches the page
   on which the known calls end. Its rows show how long the list is, and so does its count. If both equal the number of
   different calls that have come from this window, and calls only appear, then the known calls are the list. This is
   one request, and the only one that a quiet pull of several pages costs on top of its pages.
3. **Completeness is a sum over pieces of time.** A place in the list moves, a second does not. A window is whole if
   each of its pieces was proved once, by rule 1 or rule 2, at any moment after the pull began: what was there from the
   beginning to the end was in its piece at that moment. So no piece has to be proved twice, however fast calls come.
4. **A count that fell ends rule 2.** If an answer shows fewer calls than an earlier one, calls were removed. A known
   call may be gone then, and an unknown one may be in its place. From then on only rule 1 proves anything.

To count the known calls of a piece, you have to know which of a call's times the platform compares, and whether the
ends of a window belong to it. It documents neither. So all twelve combinations are possible at first, a call in an
answer that lies outside of what was asked for rules some of them out, and rule 2 is used only where all that remain
agree (`known.TimeRule`).

How a window is read
====================

- `scan` asks for page 1. A window with very many calls is divided into parts of time, which are read one after the
  other in the platform's order: skipping rows costs a database about as much as reading them.
- `window` reads a part by place, several pages ahead (`ahead`, `planner`). If three pages show that the list moves, or
  one that it shrank, the rest is read by time (`pieces`): windows of less than a page each, every one its own proof.
  New calls then fall into the newest pieces and push nothing out of place.
- At the end rule 2 is tried on the whole. If it fails, both halves are looked at, then the halves of those that differ,
  down to a few pages, and these are read by time. One call hidden among 400 pages is found with some 25 requests.
- Very many calls in the same second can't be divided by time. They are read by place until rule 2 holds.
- A page that the platform can't encode is read in smaller ones, down to the row that is the cause (`salvage`). Nobody
  knows which call a lost row is. So it has a place in the list but is no known call, and no rule proves a window that
  holds one. Smaller pages are cut at different moments, so a page that is put together from them proves nothing either.

What a row becomes
==================

All of this needs the ids and the times of calls and nothing else. So a page waits as bytes, its rows are decoded when
it is read (`rows`), and become records or Arrow's columns when the reader gets them. Columns are made from the bytes:
then only ids and three times of each row are decoded here. Rows that are not as documented are made into records at
once, and into columns from these.

The example with a pencil
=========================

The five calls above were dialled at 10:01, 10:02 … 10:05; the window is 10:00 to 10:06. After pages 1 to 3 four calls
are known: 5, 4, 3, 1. They end on page 3, so page 3 is asked for. It holds 2 and 1, and counts 6. Call 2 is found, but
six were counted and five are known. So both halves are looked at, 10:00 to 10:03 and from 10:03 on. The older half
holds known calls only: 2 and 1, and 3 at its border, as counted. The newer one holds one more than is known. It is read
by time: 6 is found. Each piece was proved after the pull began, so nothing that was there before it can be missing.

What nobody can prove
=====================

A call that is removed and another one that is added between two looks leave no trace in any number; if both happen
while pages are read, an old call can be missed. And a platform whose counts *and* rows are older than the pull answers
for a time before it. Everything else that can't be proved ends in an `IncompleteResultError`, after all calls that were
found.
"""

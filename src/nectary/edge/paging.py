"""Windows over lists: `last`, `before` and the Link header, as the published clients read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response

from nectary.db import cursors
from nectary.db.cursors import Place
from nectary.shape import Listing, Page

USUAL = 1000
MOST = 10_000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows were asked for, and where to say how to get the next ones."""

    last: int
    before: Place | None
    request: Request
    response: Response

    def of(self, page: Page[Item]) -> Sequence[Item]:
        """The rows as a bare array, with a Link wherever there are any: the Go client reads it on the last page too."""
        if page.cursor is not None:
            kept = [(key, value) for key, value in self.request.query_params.multi_items() if key != "before"]
            query = urlencode([*kept, ("before", page.cursor)])
            self.response.headers["Link"] = f'<{self.request.url.path}?{query}>; rel="next"'
        return page.items

    def listing(self, page: Page[Item]) -> Listing[Item]:
        """The rows as an object; the page was counted."""
        assert page.count is not None
        return Listing(items=page.items, end_cursor=page.cursor, count=page.count)


async def _window(
    request: Request,
    response: Response,
    last: Annotated[int, Query(ge=0, description=f"How many rows, newest first; 0 or none: {USUAL}.")] = 0,
    before: Annotated[str | None, Query(description="Cursor of the row to continue after.")] = None,
) -> Window:
    place = cursors.decode(before) if before else None
    return Window(min(last or USUAL, MOST), place, request, response)


AskedFor = Annotated[Window, Depends(_window)]

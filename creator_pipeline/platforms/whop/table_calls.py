"""Whop's lists beside memberships, payments and the money, as the declared tables read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from creator_pipeline.core.odd_objects import as_object
from creator_pipeline.platforms.whop.answers import Json, NotFoundError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.runtime.table_lists import NoParentError, NoTableError


class TableCalls:
    """The lists of one account.

    Args:
        client: of the account.
        account_id: ``biz_…``; None while it isn't known, which is until the account sold something.
    """

    def __init__(self, client: WhopClient, account_id: str | None) -> None:
        self._client, self._account_id = client, account_id

    def pages(self, path: str, asked: Mapping[str, str], list_key: str) -> Iterator[list[Json]]:  # noqa: ARG002 - every list of Whop is in data
        """The pages of a list, newest first, asked for one by one.

        Args:
            path: of the list.
            asked: parameters; ``{account_id}`` in one of them is the account's.
            list_key: of the answers.

        Raises:
            NoTableError: the server doesn't know the list.
            NoParentError: the account isn't known yet.
            DataError: a cursor came twice, or an answer has no list.
        """
        if self._account_id is None:
            # Without an account some lists are those of all of Whop.
            raise NoParentError("Whose account it is isn't known yet: it has no payment and no plan.")
        params = {name: value.format(account_id=self._account_id) for name, value in asked.items()}
        try:
            yield from self._client.pages(path.strip("/"), path, params)
        except NotFoundError as error:
            raise NoTableError(error.message) from None

    def one(self, path: str, object_key: str) -> Json | None:  # noqa: ARG002 - every answer of Whop is the object
        """One object; None where there is none.

        Args:
            path: with its id.
            object_key: of the answer.
        """
        try:
            return as_object(self._client.get(f"{path.split('/')[1]}.one", path))
        except NotFoundError:
            return None

    def usage(self) -> Mapping[str, int | float]:
        """Requests and waiting so far."""
        return self._client.usage.metadata()

"""Movements without a line of their own find their payouts, or stay unexplained."""

from creator_pipeline.platforms.gumroad.adjustments import Part
from creator_pipeline.platforms.gumroad.placements import Item, Move, Placed, place


def move(at: int, cents: int, estimate: int | None = None) -> Move:
    return Move(at, cents, Part(cents if estimate is None else estimate, f"{cents}", "sale=="))


def item(name: str, *choices: tuple[Move, ...]) -> Item:
    return Item(name, choices)


def amounts(placed: Placed) -> dict[int, list[int]]:
    return {at: [part.micros for part in parts] for at, parts in placed.parts.items()}


def test_what_fits_one_payout_alone_is_decided_by_the_others():
    """Guards: a sum that fits, and takes from a later payout what only explains that one."""
    items = [
        item("a", (move(0, -5),), (move(1, -5),)),
        item("b", (move(0, -3),), (move(1, -3),)),
        item("c", (move(0, -8),)),
    ]
    placed = place([-8, -8], items)
    assert amounts(placed) == {0: [-8], 1: [-5, -3]}
    assert placed.names == {"a", "b", "c"}


def test_more_parts_than_can_be_tried_one_by_one():
    """Guards: a payout that took a dozen refunds and stays unexplained because five at most were tried."""
    items = [item(f"{n:02}", (move(0, -(3**n)),), (move(1, -(3**n)),)) for n in range(14)]
    whole = sum(3**n for n in range(14))
    first = sum(3**n for n in range(0, 14, 2))
    placed = place([-first, first - whole], items)
    assert sorted(amounts(placed)[0]) == sorted(-(3**n) for n in range(0, 14, 2))


def test_a_payout_with_an_unknown_part_stays_unexplained():
    """Guards: a plausible number, where nobody knows what the payout holds; and its neighbours lost with it."""
    items = [item("a", (move(0, -5),), (move(1, -5),)), item("b", (move(1, -3),)), item("c", (move(2, -7),))]
    assert amounts(place([-5, -1000, -7], items)) == {0: [-5], 2: [-7]}


def test_a_sum_out_of_many_beside_an_unknown_payout_is_no_explanation():
    """Guards: any amount coming out of many small ones, when what is left over may go to a payout given up."""
    items = [item(f"{n:02}", (move(0, -n),), (move(1, -n),)) for n in range(1, 15)]
    assert amounts(place([-40, -100_000], items)) == {}


def test_an_estimated_fee_counts_with_what_it_can_be():
    """Guards: a cent of rounding that leaves a whole payout unexplained; the part keeps the ledger's amount."""
    placed = place([-38, None], [item("a", (move(0, -39),), (move(0, -38, -39),), (move(1, -39),))])
    assert amounts(placed) == {0: [-39]}


def test_nothing_to_place_holds_where_nothing_is_left():
    """Guards: payouts without any adjustment called unexplained."""
    assert amounts(place([0, 7, None], [])) == {0: []}

"""Rows per second and peak memory of the KDP parser beside the bare readers: ``python benchmarks/kdp_parse.py``.

Every case runs in its own process; peak is that process's high-water mark. ``--rows N`` sets the size (200,000).
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

HEADER = [
    "Royalty Date",
    "Title",
    "Author Name",
    "ASIN/ISBN",
    "Marketplace",
    "Royalty Type",
    "Transaction Type",
    "Units Sold",
    "Units Refunded",
    "Net Units Sold",
    "Avg. List Price without tax",
    "Avg. Offer Price without tax",
    "Avg. Delivery/Manufacturing cost",
    "Royalty",
    "Currency",
]
SHOPS = (("Amazon.com", "USD"), ("Amazon.de", "EUR"), ("Amazon.co.jp", "JPY"), ("Amazon.co.uk", "GBP"))


def row(number: int) -> list[str]:
    """One invented sale: 400 titles, 4 shops, 24 months, a royalty per title and unit."""
    shop, currency = SHOPS[number % 4]
    title = number * 7919 % 400
    sold = number % 9 + 1
    month = f"20{24 + number % 24 // 12}-{number % 12 + 1:02}"
    royalty = f"{sold * (137 + title) / 100:.2f}"
    book = [f"The Lantern Tide, Volume {title}", "Odile Farrowmere", f"B0{title:08}", shop, "70%", "Standard"]
    return [month, *book, str(sold), "0", str(sold), "4.99", "4.99", "0.15", royalty, currency]


def write_csv(path: Path, rows: int) -> None:
    """A Combined Sales tab saved as CSV."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerows(map(row, range(rows)))


def write_xlsx(path: Path, rows: int) -> None:
    """The same as a workbook in KDP's physical shape: inline strings, dimension A1."""
    numeric = range(7, 14)

    def cells(values: list[str]) -> str:
        return "".join(
            f"<c><v>{value}</v></c>"
            if place in numeric and value[:1].isdigit()
            else f'<c t="inlineStr"><is><t>{value}</t></is></c>'
            for place, value in enumerate(values)
        )

    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{rel}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook {main} xmlns:r="{rel}"><sheets><sheet name="Combined Sales" r:id="r1" sheetId="1"/>'
            "</sheets></workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{rel}/worksheet"'
            ' Target="worksheets/sheet1.xml"/></Relationships>',
        )
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'<worksheet {main}><dimension ref="A1"/><sheetData>'.encode())
            for number in range(-1, rows):
                values = HEADER if number < 0 else row(number)
                sheet.write(f"<row>{cells(values)}</row>\n".encode())
            sheet.write(b"</sheetData></worksheet>")


def case(name: str, path: str) -> int:
    """Run one case; returns the rows it read."""
    if name == "csv.reader":
        with Path(path).open(newline="", encoding="utf-8") as stream:
            return sum(1 for _ in csv.reader(stream, strict=True)) - 1
    if name == "calamine":
        import python_calamine

        return sum(1 for _ in python_calamine.load_workbook(path).get_sheet_by_index(0).iter_rows()) - 1
    if name == "parse_in_child":
        from creator_pipeline.platforms.kdp.child_process import parse_in_child

        return len(parse_in_child(path).rows)
    from creator_pipeline.platforms.kdp.parse import parse

    return len(parse(path).rows)


def main() -> None:
    """Print one line per case."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--case", nargs=2)
    chosen = options.parse_args()
    if chosen.case:
        start, worked = time.perf_counter(), time.process_time()
        rows = case(*chosen.case)
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pace = f"{rows / seconds:>10,.0f} rows/s"
        print(f"{rows:>9,} rows {seconds:7.2f} s {pace} {worked:6.2f} s CPU {peak:7.0f} MB peak")
        return
    with tempfile.TemporaryDirectory() as folder:
        table, book = Path(folder, "combined.csv"), Path(folder, "combined.xlsx")
        write_csv(table, chosen.rows)
        write_xlsx(book, chosen.rows)
        cases = [("csv.reader", table), ("parse", table), ("parse_in_child", table)]
        cases += [("calamine", book), ("parse", book), ("parse_in_child", book)]
        for name, path in cases:
            print(f"{path.suffix[1:]:5}{name:14}", end="", flush=True)
            subprocess.run([sys.executable, __file__, "--case", name, str(path)], check=True)


if __name__ == "__main__":
    main()

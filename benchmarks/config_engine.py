"""How long reading and checking a configuration takes, against the whole `fluent-bit --dry-run` process on the same text.

Run as `python -m benchmarks.config_engine`. The figures are medians of processor time after a warm-up, so that other work
on the machine counts little; the ratio is what counts.
"""

import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which

from nectary.fluentbit.document import Format
from nectary.fluentbit.formats import parse
from nectary.fluentbit.schema import load
from nectary.fluentbit.validate import examine

SIZES = (10, 100, 1000)
NAMES = {Format.CLASSIC: "fluent-bit.conf", Format.YAML: "fluent-bit.yaml", Format.JSON: "fluent-bit.json"}


def pipeline(sections: int) -> dict[str, list[dict[str, str]]]:
    """Two in five sections inputs, three in ten filters, the rest outputs."""
    inputs = [
        {"name": "dummy", "tag": f"app.{n}", "rate": "1", "dummy": f'{{"message":"line {n}"}}'}
        for n in range(sections * 4 // 10)
    ]
    filters = [{"name": "grep", "match": f"app.{n}", "regex": f"message line {n}"} for n in range(sections * 3 // 10)]
    outputs = [
        {"name": "http", "match": f"app.{n}", "host": "127.0.0.1", "port": "8080", "uri": "/in"}
        for n in range(sections * 3 // 10)
    ]
    return {"inputs": inputs, "filters": filters, "outputs": outputs}


def quoted(value: str) -> str:
    """A YAML scalar as people write it: plain where it can be."""
    return value if value.replace(".", "").replace("/", "").replace(" ", "").isalnum() else f"'{value}'"


def text_of(plugins: dict[str, list[dict[str, str]]], form: Format) -> str:
    """The same pipeline in one of the formats."""
    service = {"flush": "1", "log_level": "info"}
    if form is Format.JSON:
        return json.dumps({"service": service, "pipeline": plugins}, indent=2)
    if form is Format.YAML:
        lines = ["service:", *(f"  {key}: {value}" for key, value in service.items()), "pipeline:"]
        for kind, listed in plugins.items():
            lines.append(f"  {kind}:")
            for plugin in listed:
                marks = ["    - ", *["      "] * (len(plugin) - 1)]
                lines += [f"{mark}{key}: {quoted(value)}" for mark, (key, value) in zip(marks, plugin.items(), strict=True)]
        return "\n".join(lines) + "\n"
    blocks = [("SERVICE", service), *((kind.upper()[:-1], plugin) for kind, listed in plugins.items() for plugin in listed)]
    return "\n".join(f"[{kind}]\n" + "".join(f"    {key} {value}\n" for key, value in pairs.items()) for kind, pairs in blocks)


def median_ms(work: Callable[[], object], runs: int) -> float:
    """The median processor time of one run in milliseconds, that of its children included."""
    work()
    times = []
    for _ in range(runs):
        began = _used()
        work()
        times.append(_used() - began)
    return statistics.median(times) * 1000


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def dry_run_ms(binary: str, text: str, name: str) -> float:
    """The median time of one whole dry run of the real program, in milliseconds (starting it counts, on our side too)."""
    with tempfile.TemporaryDirectory(prefix="nectary-bench-") as folder:
        return median_ms(_dry_run(binary, text, Path(folder), name), 15)


def _dry_run(binary: str, text: str, folder: Path, name: str) -> Callable[[], object]:
    # The real program tells the formats apart by name, and reads JSON as YAML.
    file = folder / name.replace(".json", ".yaml")
    file.write_text(text)
    return lambda: subprocess.run([binary, "--dry-run", "-c", file], capture_output=True, check=True, timeout=30)


def main() -> None:
    """Print one line per size and format."""
    known = load()
    binary = which("fluent-bit")
    print(f"{'sections':>8} {'format':8} {'read ms':>8} {'check ms':>9} {'both ms':>8} {'dry-run ms':>11} {'ratio':>6}")
    for sections in SIZES:
        for form in Format:
            text = text_of(pipeline(sections), form)
            document = parse(text, NAMES[form])
            runs = 30 if sections >= 1000 else 100
            reading = median_ms(lambda text=text, form=form: parse(text, NAMES[form]), runs)  # type: ignore[misc]
            checking = median_ms(lambda document=document: examine(document, schema=known), runs)  # type: ignore[misc]
            real = dry_run_ms(binary, text, NAMES[form]) if binary else None
            both = reading + checking
            against = f"{real:11.1f} {both / real:6.2f}" if real else f"{'no binary':>11}"
            print(f"{sections:8} {form:8} {reading:8.2f} {checking:9.2f} {both:8.2f} {against}")


if __name__ == "__main__":
    main()

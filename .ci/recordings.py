"""Recordings of runs, as `krunner-compat run --events` writes them, made to be difficult for reports."""
import json
import random

VERDICTS = ["pass", "fail", "broken", "skip"]
HOSTILE = [
    "plain", "", "<img src=x onerror=\"window.hacked=1\">", "</pre></dd><script>window.hacked=1</script>", "]]>&<\"'", "\u001b[31mred\u0007",
    "::error::injected", "##[error]injected", "```\n# injected\n```", "\uf7ff\uf780", "a\nb\r\nc", "\u202egnp.exe", "@team #1 https://example.invalid/",
    "\u0000".join("ab").replace("\u0000", "\\0"), "x" * 4000, "\ufffe\uffff", "{\"event\":\"end\"}\n",
]


def record(event, **rest):
    return json.dumps({"event": event, **rest}) + "\n"


def result(verdict, text="", duration_ms=1, measurements=(), properties=()):
    found = {"verdict": verdict, "duration_ms": duration_ms, "properties": [*properties, *([[text, text]] if text else [])]}
    if verdict != "pass":
        found["message"] = text
    if verdict == "fail":
        found.update(expected=text, got=text, hint=text)
    return {**found, "output": text}, measurements


def recording(path, images, names, result_of, complete=True):
    """One case for each name on each image; result_of(image, name) is what `result` returns, or None: it never reported."""
    cases = [(number, image, name) for number, image in enumerate(images) for name in names]
    with open(path, "w", encoding="utf-8") as file:
        file.write(record(
            "plan", version=1, program="1.0", hostname="host", started_ms=1795779647013,
            suites=[{"name": image, "reproduce": f"krunner-compat run {image}", "facts": [["image", image]]} for image in images],
            cases=[{"suite": number, "classname": f"{image}.group", "name": name, "what": f"{name} works", "file": "cases/x.c", "line": 7,
                    "timeout_ms": 1000, "repeat": 0} for number, image, name in cases]))
        counts = dict.fromkeys(VERDICTS, 0)
        for place, (_, image, name) in enumerate(cases):
            told = result_of(image, name)
            if told is None:
                counts["broken"] += 1
                continue
            found, measurements = told
            file.write(record("case_started", case=place, at_ms=place))
            for measurement in measurements:
                file.write(record("measurement", case=place, at_ms=place, measurement=measurement))
            file.write(record("case_done", case=place, at_ms=place, result=found))
            counts[found["verdict"]] += 1
        if complete:
            file.write(record("end", complete=True, at_ms=len(cases)))
    return counts


def hostile(path, seed):
    """Any text everywhere; returns how many cases ended how."""
    chance = random.Random(seed)

    def text():
        if chance.random() < 0.5:
            return chance.choice(HOSTILE)
        characters = (chr(chance.choice([chance.randrange(1, 128), chance.randrange(0xA0, 0x2FFF), chance.randrange(0xE000, 0xF800)]))
                      for _ in range(chance.randrange(40)))
        return "".join(characters)

    images = [f"image{number}{text()[:50]}" for number in range(3)]
    names = [f"{number} {text()[:200]}" for number in range(8)]

    def result_of(_image, _name):
        if chance.random() < 0.1:
            return None
        found, measurements = result(chance.choice(VERDICTS), text())
        if chance.random() < 0.3:
            found["attempts"] = [{"verdict": chance.choice(VERDICTS[1:]), "duration_ms": 1, "message": text()} for _ in range(2)]
        return found, measurements

    return recording(path, images, names, result_of)

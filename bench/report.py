"""Medians, tables with ratios, and the bars (issue "The data path") with what is met and missed."""

import statistics

OURS = "lanparty"


def pick(result, path):
    """The figure, or None where this run has none."""
    for key in path:
        result = result.get(key, {})
    return None if result == {} else result


def figures(runs, path):
    return [value for value in (pick(run, path) for run in runs) if value is not None]


def medians(runs, columns):
    """{title: median, or None} over the runs that came to an end."""
    found = {}
    for title, path, _, _ in columns:
        values = figures(runs, path)
        found[title] = statistics.median(values) if values else None
    return found


def table(results, columns):
    """Rows are figures, columns systems; another system's figure is followed by how ours compares with it."""
    by_name = {name: medians(runs, columns) for name, runs in results.items()}
    names = list(by_name)
    ours = by_name.get(OURS)
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for title, _, digits, more_is_better in columns:
        if all(by_name[name][title] is None for name in names):
            continue
        cells = []
        for name in names:
            value = by_name[name][title]
            if value is None:
                cells.append("-")
                continue
            cell = f"{value:.{digits}f}"
            if name != OURS and ours and value > 0 and ours[title]:
                ratio = ours[title] / value
                cell += f" ({ratio:.2f}x{'' if (ratio > 1) == more_is_better or round(ratio, 2) == 1 else ', worse'})"
            cells.append(cell)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += [f"\n{name} did not run: {run['error']}" for name, runs in results.items() for run in runs if "error" in run]
    return "\n".join(lines)


class Bars:
    """`results`: {section: {system: [run, ...]}}. A bar whose figures were not measured says so."""

    def __init__(self, results, ceilings):
        self.results, self.ceilings, self.lines = results, ceilings, []

    def values(self, section, name, *path):
        return figures(self.results.get(section, {}).get(name, []), path)

    def ours(self, section, *path):
        values = self.values(section, OURS, *path)
        return statistics.median(values) if values else None

    def peers(self, section, *path):
        """{name: median} of the systems that are neither ours nor the ceiling."""
        found = {}
        for name in self.results.get(section, {}):
            values = self.values(section, name, *path)
            if values and not name.startswith(OURS) and name not in self.ceilings:
                found[name] = statistics.median(values)
        return found

    def add(self, text, met, seen):
        self.lines.append((text, {True: "met", False: "**missed**", None: "" if seen else "not measured"}[met], seen))

    def against_best(self, text, section, path, wanted, more_is_better, but=()):
        """Our figure over the best peer's: at least `wanted`, or at most."""
        ours, peers = self.ours(section, *path), self.peers(section, *path)
        peers = {name: value for name, value in peers.items() if name not in but}
        if ours is None or not peers:
            self.add(text, None, "")
            return
        best = (max if more_is_better else min)(peers, key=peers.get)
        ratio = ours / peers[best] if peers[best] else float("inf")
        met = ratio >= wanted if more_is_better else ratio <= wanted
        self.add(text, met, f"{ratio:.2f} ({ours:.4g} to {peers[best]:.4g} of {best})")

    def below(self, text, section, path, limit, name=OURS):
        values = self.values(section, name, *path)
        if not values:
            self.add(text, None, "")
            return
        middle = statistics.median(values)
        self.add(text, middle <= limit, f"{middle:.3g} ({min(values):.3g} to {max(values):.3g})")

    def at_least(self, text, section, path, limit, name=OURS):
        values = self.values(section, name, *path)
        if not values:
            self.add(text, None, "")
            return
        middle = statistics.median(values)
        self.add(text, middle >= limit, f"{middle:.3g} ({min(values):.3g} to {max(values):.3g})")

    def note_floor(self, library):
        values = self.values("relay", f"floor: UDP, {library}", "large", "us_per_frame")
        if values:
            self.add(f"this machine's floor: nothing but system calls, {library} and a cable", None,
                     f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})")

    def text(self):
        """Empty when nothing was measured that a bar is about."""
        if not any(seen for _, _, seen in self.lines):
            return ""
        lines = ["| bar | | seen |", "|---|---|---|"]
        return "\n".join(lines + [f"| {text} | {met} | {seen} |" for text, met, seen in self.lines])


def bars(results, ceilings):
    found = Bars(results, ceilings)
    ways = (("to_lan", "to LAN", "upload"), ("from_lan", "from LAN", "download"))
    for key, way, _ in ways:
        found.against_best(f"TCP {way}: at least 3.5 times the best peer", "saturated", (f"{key}_1", "mbit_per_second"),
                           3.5, True)
        found.against_best(f"daemon CPU per GB {way}: at most 0.3 of the best peer", "saturated",
                           (f"{key}_1", "daemon_cpu_s_per_gb"), 0.3, False)
    for key, way, _ in ways:
        found.below(f"machine saturated by a flow {way}: game packets lost, %: none", "saturated",
                    (f"{key}_1", "lost_percent"), 0)
        lossy = [name for name, lost in found.peers("saturated", f"{key}_1", "lost_percent").items() if lost >= 1]
        found.against_best(f"machine saturated by a flow {way}: game's p99 under the best peer's", "saturated",
                           (f"{key}_1", "rtt_p99_ms"), 1, False)
        if lossy:  # what never comes back is in no percentile of round trips
            found.against_best(f"the same, of peers that lose less than 1 % (not {', '.join(lossy)})", "saturated",
                               (f"{key}_1", "rtt_p99_ms"), 1, False, but=lossy)
    for flows in (1, 4):
        for key, _, what in ways:
            run = f"20 Mbit/s line, {what} of {flows} flow{'' if flows == 1 else 's'}"
            found.below(f"{run}: added to the game, p99 under 10 ms", "limited", (f"{key}_{flows}", "added_p99_ms"), 10)
            found.below(f"{run}: game packets lost, %: none", "limited", (f"{key}_{flows}", "lost_percent"), 0)
            found.at_least(f"{run}: at least 90 % of the line used", "limited", (f"{key}_{flows}", "line_percent"), 90)
    for run, how in (("idle", ""), ("idle_first", ", real-time daemons")):
        for figure in ("p50", "p99"):
            found.against_best(f"idle RTT {figure}{how}: less than any peer's", "saturated", (run, f"rtt_{figure}_ms"), 1,
                               False)
    found.against_best("200-byte frames at < 1 % loss: at least twice the best peer's", "saturated",
                       ("small", "per_second"), 2, True)
    for library, limit in (("gnutls", 1.5), ("ipsec-mb", 1.0)):
        found.below(f"relay, 1400-byte frames at bursts of 32: at most {limit} us ({library})", "relay",
                    ("large", "us_per_frame"), limit, f"{library}, 1 shard")
        found.note_floor(library)
    one = found.values("relay", "gnutls, 1 shard", "large", "per_core_second")
    two = found.values("relay", "gnutls, 2 shards", "large", "per_core_second")
    ratio = 2 * statistics.median(two) / statistics.median(one) if one and two else 0
    found.add("two shards carry at least 1.7 times one", ratio >= 1.7 if two else None,
              f"{ratio:.2f}, by frames per second of CPU time: with 2 cores there is none left for the load" if two else "")
    found.below("idle CPU of the busiest daemon: under 0.5 %", "limited", ("idle_cpu", "busiest_percent"), 0.5)
    return found.text()

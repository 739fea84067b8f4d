# The rows of `bench/compare dhcp` out of the lines of its measurements. Exit 1 if one falls short.

function field(name,   at, text) {
  at = match(" " $0, " " name "=[^ ]*")
  if (at == 0) { return "" }
  text = substr(" " $0, RSTART, RLENGTH)
  sub(/^ [^=]*=/, "", text)
  return text
}

# Values of a measurement by round; several of one round are averaged.
{
  key = field("server") "/" field("work") "/" field("what")
  round = field("round")
  if (round > rounds) { rounds = round }
  count = split("cpu_us done_per_s lost begun p99_ms generator_us start_ms rss_empty_kib rss_kib" \
                " rss_started_kib leases cpu_ns rate p50_ms offer_ms ack_ms", names, " ")
  for (i = 1; i <= count; ++i) {
    text = field(names[i])
    if (text != "") {
      sums[key, round, names[i]] += text
      counts[key, round, names[i]] += 1
    }
  }
}

function value(key, round, name) {
  if (counts[key, round, name] == 0) { return -1 }
  return sums[key, round, name] / counts[key, round, name]
}

# The median over the rounds.
function median(key, name,   n, r, i, j, v, list) {
  n = 0
  for (r = 1; r <= rounds; ++r) {
    v = value(key, r, name)
    if (v >= 0) { list[++n] = v }
  }
  for (i = 2; i <= n; ++i) {
    v = list[i]
    for (j = i - 1; j >= 1 && list[j] > v; --j) { list[j + 1] = list[j] }
    list[j + 1] = v
  }
  if (n == 0) { return -1 }
  return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function say(name, ratio, reach, spread, text, good) {
  printf "%-13s ratio %6.2f  reach %5.2f  spread %-13s %s%s\n", name, ratio, reach, spread, text, \
         good ? "" : "  FALLS SHORT"
  if (!good) { short = short " " name }
}

# CPU for an operation against the better of two peers (the second may be "").
function against(name, work, first, second, reach, note, good,
                 ours, best, peer, other, r, ratio, low, high, text) {
  ours = median("slipway/" work "/most", "cpu_us")
  best = median(first "/" work "/most", "cpu_us")
  peer = first
  other = second == "" ? -1 : median(second "/" work "/most", "cpu_us")
  if (other > 0 && (best < 0 || other < best)) { best = other; peer = second }
  if (ours <= 0 || best <= 0) { return }
  low = 1e9; high = 0
  for (r = 1; r <= rounds; ++r) {
    ratio = value("slipway/" work "/most", r, "cpu_us")
    if (ratio <= 0 || value(peer "/" work "/most", r, "cpu_us") <= 0) { continue }
    ratio = value(peer "/" work "/most", r, "cpu_us") / ratio
    if (ratio < low) { low = ratio }
    if (ratio > high) { high = ratio }
  }
  text = sprintf("CPU %.2f us, %s %.2f us; %d/s, %s %d/s; generator %.2f us%s", ours, peer, best, \
                 median("slipway/" work "/most", "done_per_s"), peer, \
                 median(peer "/" work "/most", "done_per_s"), \
                 median("slipway/" work "/most", "generator_us"), note)
  say(name, best / ours, reach, sprintf("%.2f-%.2f", low, high), text, good && best / ours >= reach)
}

function dora(   key, p99, lost, note) {
  key = "slipway/relayed/part"
  p99 = median(key, "p99_ms")
  lost = median(key, "lost")
  note = sprintf("; at 70 %%: p99 %.2f ms, %d lost (reach: 7 us, p99 10 ms)", p99, lost)
  against("dora-relayed", "relayed", "kea", "isc", 8, note,
          p99 < 10 && lost == 0 && median("slipway/relayed/most", "cpu_us") <= 7)
}

function burst(   key, p99, lost, peers, name, i, text, answered) {
  key = "slipway/burst/burst"
  if (median(key, "begun") < 0) { return }
  p99 = median(key, "p99_ms")
  lost = median(key, "lost")
  split("kea isc dnsmasq", peers, " ")
  text = sprintf("lost %d of %d, p99 %.1f ms (reach: none, 100 ms)", lost, median(key, "begun"), p99)
  for (i = 1; i <= 3; ++i) {
    name = peers[i] "/burst/burst"
    if (median(name, "begun") >= 0) {
      text = text sprintf("; %s lost %d", peers[i], median(name, "lost"))
    }
  }
  say("burst", lost == 0 ? 100 / p99 : 0, 1, "", text, lost == 0 && p99 < 100)
}

function leases(   key, peer, bytes, seconds, theirs) {
  key = "slipway/start/start"
  if (median(key, "start_ms") < 0) { return }
  peer = "kea/start/start"
  # Ours is taken at start, so that an empty table costs as much as a full one: what the process,
  # started with these leases, takes more than one with hardly any.
  bytes = (median(key, "rss_started_kib") - median("base/start/start", "rss_started_kib")) * 1024 / \
          median(key, "leases")
  theirs = (median(peer, "rss_started_kib") - median(peer, "rss_empty_kib")) * 1024 / \
           median(peer, "leases")
  say("lease-memory", 256 / bytes, 1, "", sprintf("%d B for each of %d leases (reach: 256 B);" \
      " kea %d B", bytes, median(key, "leases"), theirs), bytes < 256)
  seconds = median(key, "start_ms") / 1000
  say("start", 3 / seconds, 1, "", sprintf("%.2f s with %d leases (reach: 3 s); kea %.2f s with %d",
      seconds, median(key, "leases"), median(peer, "start_ms") / 1000, median(peer, "leases")),
      seconds < 3)
}

# perfdhcp loses as little as our generator does, at a rate that is far below its limits.
function crossed(name,   ours, theirs, lost, other, good) {
  ours = name "/perfdhcp/ours"
  theirs = name "/perfdhcp/perfdhcp"
  if (median(theirs, "begun") <= 0) { return }
  lost = median(ours, "lost") / median(ours, "begun")
  other = median(theirs, "lost") / median(theirs, "begun")
  good = lost < 0.01 && other < 0.01
  printf "perfdhcp      %s at %d/s: ours lost %d of %d, CPU %.1f us, p50 %.2f ms; perfdhcp lost %d of" \
         " %d, CPU %.1f us, mean %.2f ms%s\n", name, median(ours, "rate"), median(ours, "lost"),
         median(ours, "begun"), median(ours, "cpu_us"), median(ours, "p50_ms"),
         median(theirs, "lost"), median(theirs, "begun"), median(theirs, "cpu_us"),
         median(theirs, "offer_ms") + median(theirs, "ack_ms"), good ? "" : "  DISAGREES"
  if (!good) { short = short " perfdhcp" }
}

function full(   empty, filled) {
  empty = median("/full/AllocateEmpty", "cpu_ns")
  filled = median("/full/AllocateFull", "cpu_ns")
  if (empty <= 0 || filled <= 0) { return }
  say("full-range", empty / filled, 1 / 1.2, "", sprintf("%d ns in an empty /16, %d ns in one that" \
      " is 99.9 %% full (reach: 1.2 times)", empty, filled), filled <= 1.2 * empty)
}

END {
  if (median("flip/relayed/most", "cpu_us") > 0) {
    printf "the generator's ceiling: %d exchanges/s, itself %.2f us each; a server that only flips" \
           " the packet: %.2f us\n", median("flip/relayed/most", "done_per_s"),
           median("flip/relayed/most", "generator_us"), median("flip/relayed/most", "cpu_us")
  }
  dora()
  against("dora-local", "local", "kea", "", 7, "", 1)
  against("renewals", "renew", "kea", "", 10, sprintf("; isc %.2f us (answered from its cache)",
          median("isc/renew/most", "cpu_us")), 1)
  against("dhcpv6", "relayed6", "kea", "", 5, "", 1)
  burst()
  leases()
  full()
  crossed("slipway")
  crossed("kea")
  if (short != "" && !quick) {
    print "short of the reach:" short
    exit 1
  }
}

# Reads a site file (docs/site.md): TOML with one key a line, strings, numbers and lists of strings.
# Prints "TABLE<tab>LINE<tab>JSON" for each table; errors as "FILE:LINE: what; what to do", exit 1.
function wrong(text) {
  printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
  bad = 1
}

function flush_table() {
  if (table != "") printf "%s\t%d\t{%s}\n", table, table_line, body
  body = ""
}

function trim(text) {
  gsub(/^[ \t]+|[ \t\r]+$/, "", text)
  return text
}

# Cuts a comment off: a '#' outside of quotes.
function uncomment(text,   i, c, quoted) {
  for (i = 1; i <= length(text); ++i) {
    c = substr(text, i, 1)
    if (c == "\"") quoted = !quoted
    if (c == "#" && !quoted) return substr(text, 1, i - 1)
  }
  return text
}

function is_value(text) {
  return text ~ /^"[^"\\]*"$/ || text ~ /^[0-9]+$/ ||
    text ~ /^\[[ \t]*("[^"\\]*"([ \t]*,[ \t]*"[^"\\]*")*)?[ \t]*,?[ \t]*\]$/
}

BEGIN {
  keys["site"] = " name state_dir "
  keys["interface"] = " name vlan "
  keys["vlan"] = " name description fabric vid mtu unknown_policy router_advertisement" \
    " router_lifetime_seconds dhcp relays "
  keys["subnet"] = " name description vlan cidr gateway dns_servers ntp_servers domain" \
    " lease_seconds boot_lease_seconds "
  keys["range"] = " description subnet kind first last state "
  table = "site"
}

{
  line = trim(uncomment($0))
  if (line == "") next
  if (line ~ /^\[\[[a-z]+\]\]$/) {
    name = substr(line, 3, length(line) - 4)
    if (!(name in keys) || name == "site") {
      wrong("no table [[" name "]]; there are [[interface]], [[vlan]], [[subnet]] and [[range]]")
      next
    }
    flush_table()
    table = name
    table_line = FNR
    split("", seen)
    next
  }
  equals = index(line, "=")
  key = trim(substr(line, 1, equals - 1))
  value = trim(substr(line, equals + 1))
  if (equals == 0 || key !~ /^[a-z_]+$/) {
    wrong("neither a table nor \"key = value\"")
  } else if (index(keys[table], " " key " ") == 0) {
    wrong("no key " key (table == "site" ? " before the first table" : " in [[" table "]]") \
      "; there are:" keys[table])
  } else if (key in seen) {
    wrong(key " is there twice")
  } else if (!is_value(value)) {
    wrong("the value of " key " is no \"text\", number or list of \"texts\" on one line")
  } else {
    seen[key] = 1
    gsub(/,[ \t]*\]$/, "]", value)
    body = body (body == "" ? "" : ",") "\"" key "\":" value
  }
}

END {
  flush_table()
  exit bad
}

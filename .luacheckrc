-- scripts/ is trusted Lua that runs in the sandbox; rules and recipes see exactly the sandbox's
-- names. The list stands in core/script/bind_*.c; tests/unit/script/test_stubs.c checks that it is
-- the same. What is in the stubs is for editors and never runs.
std = "none"
max_line_length = 140
unused_args = false

local sandbox = {
  "assert", "error", "ipairs", "pairs", "pcall", "select", "tonumber", "tostring", "type", "unpack",
  "math", "string", "table",
  "points", "cash", "bonus_cash", "freespins", "coupon", "loot", "badge", "notify",
  "money", "percent_of",
  "rule", "experiment", "formula", "by_arm", "tests", "count", "sum", "min", "max", "last",
}

files["scripts"] = { read_globals = sandbox }
files["rules"] = { read_globals = sandbox }
files["docs/recipes"] = { read_globals = sandbox }

exclude_files = { "scripts/stubs" }

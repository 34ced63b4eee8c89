return tests {
  { name = "nothing", args = { 0 }, expect = 0 },
  { name = "within the first step", args = { 50.5 }, expect = 50.5 },
  { name = "to the end of the first step", args = { 100 }, expect = 100 },
  { name = "two steps", args = { 300 }, expect = 400 },
  { name = "all three", args = { 1000 }, expect = 1700 },
  { name = "an amount that is none", args = {}, error = "number" },
}

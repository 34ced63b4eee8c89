---@meta
-- What a rule sees of Lua: every name below, and no other. For editors (lua-language-server);
-- nothing here runs. tests/unit/script/test_stubs.c holds it against the real sandbox.

---Raises message where v is nil or false; else returns its arguments.
---@generic T
---@param v? T
---@param message? string
---@return T
function assert(v, message, ...) end

---Ends the call with an error. A text only; level 1 (here), 2 (the caller) or 0 (no place).
---@param message string
---@param level? integer
function error(message, level) end

---1, 2, 3 ... up to the first nil; also over arrays of the event and player.segments.
---@param list table
---@return fun(list: table, i: integer): integer, any
---@return table
---@return integer
function ipairs(list) end

---Every key in one fixed order: numbers rising, then texts bytewise, then false, true. At most 4096
---keys, which must be numbers, texts or booleans.
---@param t table
---@return fun(): any, any
function pairs(t) end

---true and the results, or false and the message. It cannot catch the end of the budget.
---@param f function
---@return boolean ok
---@return any ...
function pcall(f, ...) end

---@param n integer|"#"
---@return any ...
function select(n, ...) end

---@param v any
---@param base? integer 2..36
---@return any number nil: not a number, which the event's schema mostly rules out
function tonumber(v, base) end

---A table is "table", never an address.
---@param v any
---@return string
function tostring(v) end

---@param v any
---@return "nil"|"boolean"|"number"|"string"|"table"|"function"|"reward"|"aggregate"|"rule"|"tests"
function type(v) end

---At most 256 values.
---@param list table
---@param first? integer
---@param last? integer
---@return any ...
function unpack(list, first, last) end

math = {}

math.huge = 1 / 0
math.pi = 3.141592653589793

---@param x number
---@return number
function math.abs(x) end

---@param x number
---@return number
function math.ceil(x) end

---@param x number
---@return number
function math.exp(x) end

---@param x number
---@return number
function math.floor(x) end

---@param x number
---@param y number
---@return number
function math.fmod(x, y) end

---@param x number
---@return number
function math.log(x) end

---@param x number
---@return number
function math.log10(x) end

---@param x number
---@param ... number
---@return number
function math.max(x, ...) end

---@param x number
---@param ... number
---@return number
function math.min(x, ...) end

---The whole part and the rest.
---@param x number
---@return number whole
---@return number rest
function math.modf(x) end

---@param x number
---@param y number
---@return number
function math.pow(x, y) end

---No argument: 0 <= r < 1. One: 1..m. Two: m..n. From the event's id: the same event draws the same.
---Only inside when, score and grant.
---@param m? integer
---@param n? integer
---@return number
function math.random(m, n) end

---Half away from zero.
---@param x number
---@param digits? integer
---@return number
function math.round(x, digits) end

---@param x number
---@return number
function math.sqrt(x) end

---@class stringlib
string = {}

---@param s string
---@param first? integer
---@param last? integer
---@return integer ...
function string.byte(s, first, last) end

---@param ... integer 0..255
---@return string
function string.char(...) end

---@param s string
---@param pattern string at most 64 bytes, two of * + - ?; s at most 256 bytes, unless plain
---@param first? integer
---@param plain? boolean
---@return integer? from
---@return integer? to
---@return string? ... captures
function string.find(s, pattern, first, plain) end

---%d %i %u %c %x %X %o %e %E %f %g %G %q %s %%; width and precision of at most two digits.
---@param f string
---@param ... any
---@return string
function string.format(f, ...) end

---@param s string
---@param pattern string
---@return fun(): string, ...
function string.gmatch(s, pattern) end

---@param s string
---@param pattern string
---@param replacement string|table<string, string|number> no function
---@param count? integer
---@return string
---@return integer count
function string.gsub(s, pattern, replacement, count) end

---@param s string
---@return integer
function string.len(s) end

---ASCII letters only.
---@param s string
---@return string
function string.lower(s) end

---@param s string
---@param pattern string
---@param first? integer
---@return string? ...
function string.match(s, pattern, first) end

---Up to 64 KiB.
---@param s string
---@param count integer
---@param separator? string
---@return string
function string.rep(s, count, separator) end

---@param s string
---@return string
function string.reverse(s) end

---@param s string
---@param first integer
---@param last? integer
---@return string
function string.sub(s, first, last) end

---ASCII letters only.
---@param s string
---@return string
function string.upper(s) end

table = {}

---@param list (string|number)[]
---@param separator? string
---@param first? integer
---@param last? integer
---@return string
function table.concat(list, separator, first, last) end

---@overload fun(list: table, v: any)
---@param list table
---@param position integer
---@param v any
function table.insert(list, position, v) end

---@param list table
---@param position? integer
---@return any
function table.remove(list, position) end

---Stable. Without before: only numbers or only texts.
---@generic T
---@param list T[]
---@param before? fun(a: T, b: T): boolean
function table.sort(list, before) end

---At most 256 values.
---@param list table
---@param first? integer
---@param last? integer
---@return any ...
function table.unpack(list, first, last) end

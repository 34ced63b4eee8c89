---@meta
-- The DSL of rules and of their tests. For editors (LuaCATS: lua-language-server, EmmyLua); nothing
-- here runs.
-- tests/unit/script/test_stubs.c holds it against the real sandbox.

---What happened, read-only. A missing field is nil at any depth.
---@class rewardd.Event
---@field event_id string
---@field event_name string
---@field version string of its schema
---@field ts string event time, as it came
---@field time_ms number event time, milliseconds since 1970
---@field late_ms number ingest time less event time
---@field day string "2025-11-01", UTC
---@field day_no integer days since 1970, UTC
---@field hour integer 0..23, UTC
---@field weekday integer 1 Monday .. 7 Sunday, UTC
---@field user table<string, any>
---@field context table<string, any>
---@field payload table<string, any>
---@field [string] any any other field of the envelope

---@class rewardd.Segments
---@field has fun(name: string): boolean
---@field [integer] string

---The player as of this event, read-only. nil: unknown.
---@class rewardd.Player
---@field id string
---@field geo? string two letters
---@field platform? string
---@field payer? boolean
---@field kyc_level integer 0..3
---@field segments rewardd.Segments
---@field attributes table<string, any> event.user.attributes
---@field agg table<string, any> what the rule's aggregates declare, this event included
---@field points fun(rule_id: string): number total points of a rule
---@field arm fun(experiment: string): string?

---Kept by the core; read as player.agg.<name>.
---@class rewardd.Aggregate

---A reward, as milestones name and grant returns it.
---@class rewardd.Reward

---@alias rewardd.Texts string|string[]
---@alias rewardd.Window "1m"|"1h"|"1d"|"7d"|"all"
---nil, booleans, finite numbers and texts of at most 64 bytes.
---@alias rewardd.State table<string, any>

---@class rewardd.Active
---@field from? string "2025-11-01T00:00:00Z"; included
---@field to? string not included

---Checked before any function is called.
---@class rewardd.Where
---@field geo? rewardd.Texts
---@field platform? rewardd.Texts
---@field payer? boolean
---@field segment? rewardd.Texts
---@field currency? rewardd.Texts payload.currency
---@field weekday? integer|integer[] 1 Monday .. 7 Sunday, UTC
---@field hour? integer|integer[] 0..23, UTC

---Points; each clips to what is left in the UTC bucket of the event time.
---@class rewardd.Caps
---@field per_event? integer
---@field per_minute? integer
---@field per_hour? integer
---@field per_day? integer

---@class rewardd.Milestone
---@field at integer points of the rule, over all its versions
---@field reward rewardd.Reward

---@class rewardd.Guards
---@field kyc_min_level? integer 0..3
---@field rg? boolean false: only for what pays nothing
---@field budget? string the pool that pays
---@field geo? rewardd.Texts

---@class rewardd.Rule
---@field id string
---@field version string "1.0.0"
---@field title? string
---@field owner? string
---@field on rewardd.Texts names of events
---@field active? rewardd.Active
---@field where? rewardd.Where
---@field when? fun(event: rewardd.Event, player: rewardd.Player, state: rewardd.State): boolean?
---@field score? fun(event: rewardd.Event, player: rewardd.Player, state: rewardd.State): number
---@field grant? fun(event: rewardd.Event, player: rewardd.Player, state: rewardd.State): rewardd.Reward|false|nil
---@field caps? rewardd.Caps
---@field milestones? rewardd.Milestone[]
---@field guards? rewardd.Guards
---@field experiment? string
---@field state? rewardd.State at most 16 fields, and how they begin
---@field aggregates? table<string, rewardd.Aggregate> at most 8
---@field priority? integer larger is asked first
---@field order? "arrival"|"event_time" the latter: each event waits for the reorder window, and is decided in event time

---A rule's file ends with: return rule { ... }
---@param fields rewardd.Rule
---@return table
function rule(fields) end

---The share of users with the event; with sum, a sum a user; with per, a sum by another.
---@class rewardd.Metric
---@field name? string
---@field event string
---@field sum? string "payload.bet"
---@field per? string "payload.bet"

---@class rewardd.Metrics
---@field primary rewardd.Metric
---@field guardrails? rewardd.Metric[]

---@class rewardd.Experiment
---@field key string
---@field version string "1.0.0"
---@field title? string
---@field owner? string
---@field unit? "user"
---@field active? rewardd.Active
---@field eligible? rewardd.Where
---@field arms table<string, integer> weights, 2 to 8 arms
---@field coverage? number per cent of those eligible; growing it moves nobody
---@field holdout? number per cent kept out of every arm; results compare the others with them
---@field group? string|{ name: string, from?: number, to?: number } nobody is in two of a group
---@field strata? ("payer"|"geo"|"platform")[]
---@field metrics rewardd.Metrics

---Declares the experiment; the file ends with: return experiment { ... }
---@param fields rewardd.Experiment
---@return table
function experiment(fields) end

---A part for each arm of the rule's experiment, functions or plain values; players in no arm get
---the part "otherwise", or else the control's.
---@param parts table<string, any>
---@return function
function by_arm(parts) end

---A function that rules share. It sees its arguments, money, percent_of and plain Lua.
---@class rewardd.Formula
---@field id string
---@field version string "1.0.0"
---@field title? string
---@field owner? string
---@field compute fun(...: any): any

---A formula's file ends with: return formula { ... }; a rule takes one, with its exact version, at
---the top of its file: local win_multiple = formula "win_multiple@1.0.0"
---@overload fun(reference: string): fun(...: any): any
---@param fields rewardd.Formula
---@return table
function formula(fields) end

---@class rewardd.TestCase
---@field name string
---@field player? { kyc_level?: integer, geo?: string, platform?: string, payer?: boolean, self_excluded?: boolean, arm?: string }
---@field events table[] event_id, version, ts and user may be left out
---@field expect { points?: integer, rewards?: integer, held?: integer, milestones?: integer, errors?: integer }

---Of a formula: one of expect and error.
---@class rewardd.FormulaCase
---@field name string
---@field args any[]
---@field expect? any what compute returns; numbers to nine digits
---@field error? string words of the error it raises

---A test file ends with: return tests { { ... }, ... }
---@param cases rewardd.TestCase[]|rewardd.FormulaCase[]
---@return table
function tests(cases) end

---@param window rewardd.Window
---@return rewardd.Aggregate
function count(window) end

---@param path string "payload.bet"
---@param window rewardd.Window
---@return rewardd.Aggregate
function sum(path, window) end

---@param path string
---@param window rewardd.Window
---@return rewardd.Aggregate
function min(path, window) end

---@param path string
---@param window rewardd.Window
---@return rewardd.Aggregate
function max(path, window) end

---@param path string
---@param window? rewardd.Window
---@return rewardd.Aggregate
function last(path, window) end

---@param fields { count: integer, cost?: string, currency?: string, expires_in?: string }
---@return rewardd.Reward
function points(fields) end

---@param fields { amount: string, currency: string, expires_in?: string }
---@return rewardd.Reward
function cash(fields) end

---@param fields { amount: string, currency: string, wagering?: integer, expires_in?: string }
---@return rewardd.Reward
function bonus_cash(fields) end

---@param fields { count: integer, game: string, wagering?: integer, cost?: string, currency?: string, expires_in?: string }
---@return rewardd.Reward
function freespins(fields) end

---code, percent, or both.
---@param fields { code?: string, percent?: integer, cost?: string, currency?: string, expires_in?: string }
---@return rewardd.Reward
function coupon(fields) end

---@param fields { rarity: string, cost?: string, currency?: string, expires_in?: string }
---@return rewardd.Reward
function loot(fields) end

---@param fields { name: string, cost?: string, currency?: string, expires_in?: string }
---@return rewardd.Reward
function badge(fields) end

---@param fields { text: string, cost?: string, currency?: string, expires_in?: string }
---@return rewardd.Reward
function notify(fields) end

---A number as an amount, rounded down to the minor unit: money(12.349, "EUR") == "12.34".
---@param amount number|string
---@param currency string
---@return string
function money(amount, currency) end

---percent_of(19.99, 5, "EUR") == "0.99", exactly, rounded down.
---@param amount number|string
---@param percent number|string
---@param currency string
---@return string
function percent_of(amount, percent, currency) end

-- prelude: the list functions of the sandbox, in trusted Lua.
--
-- They are here and not in C because the instruction budget can interrupt Lua anywhere: a rule that
-- sorts a million elements or inserts at 1e308 is stopped like any other loop. Embedded into the
-- daemon when it is built; runs once in every VM, with the sandbox's own functions as globals.

local error, type, select = error, type, select

local function check_list(list, name)
    if type(list) ~= "table" then
        error("table." .. name .. ": a table is needed, not a " .. type(list), 3)
    end
end

local function check_position(position, last, name)
    if type(position) ~= "number" or position % 1 ~= 0 or position < 1 or position > last then
        error("table." .. name .. ": position must be a whole number from 1 to " .. last, 3)
    end
end

local function insert(list, position, ...)
    check_list(list, "insert")
    local count = #list
    if select("#", ...) == 0 then
        list[count + 1] = position
        return
    end
    check_position(position, count + 1, "insert")
    for i = count, position, -1 do
        list[i + 1] = list[i]
    end
    list[position] = (...)
end

local function remove(list, position)
    check_list(list, "remove")
    local count = #list
    if count == 0 then
        return nil
    end
    if position == nil then
        position = count
    end
    check_position(position, count, "remove")
    local removed = list[position]
    for i = position, count - 1 do
        list[i] = list[i + 1]
    end
    list[count] = nil
    return removed
end

local function default_before(a, b)
    return a < b
end

local function check_elements(list, count)
    local kind = type(list[1])
    for i = 1, count do
        local this = type(list[i])
        if (this ~= "number" and this ~= "string") or this ~= kind then
            error("table.sort: needs only numbers or only texts, or a function that compares", 3)
        end
    end
end

-- Merges from[low..middle] and from[middle+1..high] into to. Equal elements keep their order, and a
-- comparator that contradicts itself can only order badly, not run past the ends.
local function merge(from, to, low, middle, high, before)
    local left, right = low, middle + 1
    for i = low, high do
        if left <= middle and (right > high or not before(from[right], from[left])) then
            to[i] = from[left]
            left = left + 1
        else
            to[i] = from[right]
            right = right + 1
        end
    end
end

local function sort(list, before)
    check_list(list, "sort")
    local count = #list
    if before == nil then
        check_elements(list, count)
        before = default_before
    elseif type(before) ~= "function" then
        error("table.sort: the second argument must be a function, not a " .. type(before), 2)
    end
    local from, to = {}, {}
    for i = 1, count do
        from[i] = list[i]
    end
    local width = 1
    while width < count do
        for low = 1, count, 2 * width do
            local middle = low + width - 1
            local high = low + 2 * width - 1
            if middle > count then
                middle = count
            end
            if high > count then
                high = count
            end
            merge(from, to, low, middle, high, before)
        end
        from, to = to, from
        width = 2 * width
    end
    for i = 1, count do
        list[i] = from[i]
    end
end

return { insert = insert, remove = remove, sort = sort }

-- by_arm: the function a rule gives in place of one for everybody, with a part for each arm of the
-- rule's experiment. Trusted Lua like the prelude's; player.arm() is the sandbox's own.

local error, type = error, type

return function(arms)
    if type(arms) ~= "table" then
        error("by_arm needs a table { control = ..., treatment = ... }, not a " .. type(arms), 2)
    end
    if arms.otherwise == nil and arms.control == nil then
        error("by_arm needs control or otherwise: what holds for players in no arm", 2)
    end
    return function(event, player, state)
        local arm = player.arm()
        local part
        if arm ~= nil then
            part = arms[arm]
        end
        if part == nil then
            part = arms.otherwise
            if part == nil then
                if arm ~= nil then
                    error("by_arm has nothing for the arm '" .. arm .. "', and no otherwise", 0)
                end
                part = arms.control
            end
        end
        if type(part) == "function" then
            return part(event, player, state)
        end
        return part
    end
end

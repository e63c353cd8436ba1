-- SPDX-License-Identifier: Apache-2.0
-- CALL: the head of every script. What Redis refuses is told with the command and the key that it was
-- about, which Redis' own words leave out: "WRONGTYPE ... (HSET berth:v1:space:alpha/team-a)".
--
-- A script that is refused half-way keeps what it wrote before. So each of them writes in an order in
-- which its repetition finds all that is missing and does it; tests refuse each write of each script.

local function call(command, ...)
    local done, reply = pcall(redis.call, command, ...)
    if done then
        return reply
    end
    error(reply .. ' (' .. command .. ' ' .. tostring((...)) .. ')', 0)
end

-- False when a key that the work needs is none of berth's: that is left to those whose key it is. Any other
-- refusal is everybody's.
local function skipping(work)
    local done, text = pcall(work)
    if not done and not string.find(text, 'WRONGTYPE', 1, true) then
        error(text, 0)
    end
    return done
end


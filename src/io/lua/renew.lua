-- SPDX-License-Identifier: Apache-2.0
-- RENEW (design 4.7, 4.8): the lease of many lanes in one call, and what their commands have spent.
--
-- KEYS  for each lane its space hash and its command hash
-- ARGV  1 instance, 2 incarnation, then for each lane its command id, its token, the attempts that were
--       burned, and for how long the command's age stood still (ms): the next claim is given both
--
-- Replies with one string: for each lane "1" when it is still held, else "0".

local instance, incarnation = ARGV[1], ARGV[2]

local function remember_budget(command, burned, paused_ms)
    local digest, known_burned, known_paused_ms = unpack(
        call('HMGET', command, 'digest', 'burned', 'paused_ms'))
    local same = (known_burned or '0') == burned and (known_paused_ms or '0') == paused_ms
    if digest and not same then
        call('HSET', command, 'burned', burned, 'paused_ms', paused_ms)
    end
end

local function renew(space, command, id, token, burned, paused_ms)
    local lane_instance, lane_incarnation, lane_id, lane_token = unpack(call('HMGET', space,
        'holder_instance', 'holder_incarnation', 'holder_command', 'token'))
    if lane_instance ~= instance or lane_incarnation ~= incarnation or lane_id ~= id
        or lane_token ~= token then
        return '0'
    end
    call('HINCRBY', space, 'renewals', 1)
    -- Its claim or store will say what is wrong with the command's key.
    skipping(function() remember_budget(command, burned, paused_ms) end)
    return '1'
end

local held = {}
for i = 1, #KEYS / 2 do
    -- One lane's key that somebody has put something else into isn't held, and the others are.
    held[i] = '0'
    skipping(function()
        held[i] = renew(KEYS[2 * i - 1], KEYS[2 * i], unpack(ARGV, 4 * i - 1, 4 * i + 2))
    end)
end
return table.concat(held)

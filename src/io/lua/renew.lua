-- SPDX-License-Identifier: Apache-2.0
-- RENEW (design 4.7): the lease of many lanes in one call.
--
-- KEYS  the space hashes
-- ARGV  1 instance, 2 incarnation, then for each lane its command id and its token
--
-- Replies with one string: for each lane "1" when it is still held, else "0".

local instance, incarnation = ARGV[1], ARGV[2]
local held = {}
for i, space in ipairs(KEYS) do
    local lane_instance, lane_incarnation, lane_id, token = unpack(redis.call('HMGET', space,
        'holder_instance', 'holder_incarnation', 'holder_command', 'token'))
    if lane_instance == instance and lane_incarnation == incarnation
        and lane_id == ARGV[2 * i + 1] and token == ARGV[2 * i + 2] then
        redis.call('HINCRBY', space, 'renewals', 1)
        held[i] = '1'
    else
        held[i] = '0'
    end
end
return table.concat(held)

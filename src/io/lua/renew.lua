-- SPDX-License-Identifier: Apache-2.0
-- RENEW (design 4.7): the lease of many lanes in one call.
--
-- KEYS  the space hashes
-- ARGV  1 "<instance> <incarnation> ", then for each lane its command id and its token
--
-- Replies with one string: for each lane "1" when it is still held, else "0".

local worker = ARGV[1]
local held = {}
for i, space in ipairs(KEYS) do
    local holder, token = unpack(redis.call('HMGET', space, 'holder', 'token'))
    if holder == worker .. ARGV[2 * i] and token == ARGV[2 * i + 1] then
        redis.call('HINCRBY', space, 'renewals', 1)
        held[i] = '1'
    else
        held[i] = '0'
    end
end
return table.concat(held)

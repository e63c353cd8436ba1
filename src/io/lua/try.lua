-- SPDX-License-Identifier: Apache-2.0
-- TRY: for `berth check`, whether each command that the scripts use is allowed and done. What it writes it
-- removes, or else it ends by itself within a second.
--
-- KEYS  1 a hash, 2 a string, 3 a set: names that nobody else uses
--
-- Reply: tried, then "<command> <what Redis said>" for each that was refused

local reply = {'tried'}

local function try(command, ...)
    local done, text = pcall(redis.call, command, ...)
    if not done then
        reply[#reply + 1] = command .. ' ' .. text
    end
end

try('HSET', KEYS[1], 'a', '1', 'c', '1')
try('PEXPIRE', KEYS[1], 1000)
try('HSETNX', KEYS[1], 'b', '1')
try('HINCRBY', KEYS[1], 'a', 1)
try('HGET', KEYS[1], 'a')
try('HMGET', KEYS[1], 'a', 'b')
try('HGETALL', KEYS[1])
try('HKEYS', KEYS[1])
try('HDEL', KEYS[1], 'b')
try('SET', KEYS[2], '1', 'PX', 1000)
try('INCR', KEYS[2])
try('GET', KEYS[2])
try('GETRANGE', KEYS[2], 0, 1)
try('EXISTS', KEYS[2])
try('PERSIST', KEYS[2])
try('ZADD', KEYS[3], 0, 'a')
try('PEXPIRE', KEYS[3], 1000)
try('ZRANGEBYLEX', KEYS[3], '-', '+', 'LIMIT', 0, 1)
try('ZREM', KEYS[3], 'a')
try('TIME')
try('SCAN', '0', 'MATCH', KEYS[1], 'COUNT', 1)
try('DEL', KEYS[1])
try('DEL', KEYS[2])
try('DEL', KEYS[3])
return reply

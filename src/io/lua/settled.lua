-- SPDX-License-Identifier: Apache-2.0
-- SETTLED (design 4.3, 4.10): a transaction was committed. Its outcomes shrink to their results, and
-- the bases of its partitions are kept.
--
-- KEYS  1 ... command hashes, then the bases of partitions
-- ARGV  1 how many command hashes
--       2 ... for each of them the version and the source under which it was stored, then for each
--       base its offset
--
-- Replies with "settled".
--
-- A late copy does no harm: a hash that was claimed and stored anew (a dead letter was replayed) has
-- another source or version, one that is gone isn't made, and a base only rises.

local commands = tonumber(ARGV[1])
for i = 1, commands do
    skipping(function()
        local version, source = unpack(call('HMGET', KEYS[i], 'version', 'source'))
        if version == ARGV[2 * i] and source == ARGV[2 * i + 1] then
            call('HDEL', KEYS[i], 'rest')
        end
    end)
end
for i = commands + 1, #KEYS do
    local offset = ARGV[commands + i + 1]
    if (tonumber(call('GET', KEYS[i])) or -1) < tonumber(offset) then
        call('SET', KEYS[i], offset)
    end
end
return {'settled'}

-- SPDX-License-Identifier: Apache-2.0
-- SETTLED (design 4.3, 4.10): a transaction was committed. Its outcomes shrink to their results, and
-- the bases of its partitions are kept.
--
-- KEYS  1 ... command hashes, then for each partition its base, the mark of its log, the decision of an
--       operator where it goes on
-- ARGV  1 how many command hashes
--       2 ... for each of them the version and the source under which it was stored, then for each
--       partition its base's offset and the mark
--
-- Replies with "settled".
--
-- A late copy does no harm: a hash that was claimed and stored anew (a dead letter was replayed) has
-- another source or version, one that is gone isn't made, and within a log a base only rises. One of
-- another log begins anew, and so does one that goes on where an operator decided: then the decision
-- has done its work.

local commands = tonumber(ARGV[1])
for i = 1, commands do
    skipping(function()
        local version, source = unpack(call('HMGET', KEYS[i], 'version', 'source'))
        if version == ARGV[2 * i] and same_source(source, ARGV[2 * i + 1]) then
            call('HDEL', KEYS[i], 'rest')
        end
    end)
end

local function of_another(id, other)
    return id ~= '' and other ~= '' and id ~= other
end

local function settle(base, log, from, offset, mark)
    local known = tonumber(call('GET', base)) or -1
    local known_id, known_marked = string.match(call('GET', log) or 'L1::-2:',
        '^L1:([^:]*):(-?%d+):')
    local id, marked = string.match(mark, '^L1:([^:]*):(-?%d+):')
    local decided_id = string.match(call('GET', from) or '', '^%d+ ?(%S*)$')
    local resolved = decided_id and not of_another(decided_id, id)
    local rises = known < tonumber(offset)
        or (known == tonumber(offset) and tonumber(known_marked or -2) <= tonumber(marked))
    if rises or resolved or of_another(known_id or '', id) then
        call('SET', base, offset)
        call('SET', log, mark)
    end
    if resolved then
        call('DEL', from)
    end
end

for i = 0, (#KEYS - commands) / 3 - 1 do
    local key, argument = commands + 3 * i, 2 * commands + 1 + 2 * i
    settle(KEYS[key + 1], KEYS[key + 2], KEYS[key + 3], ARGV[argument + 1], ARGV[argument + 2])
end
return {'settled'}

-- SPDX-License-Identifier: Apache-2.0
-- PUT (design 4.9): one record of the topic of space states, in the data set that is being rebuilt.
--
-- KEYS  1 lock of the rebuild, 2 space hash, 3 set of the registry's spaces, 4 set of its public ones
-- ARGV  1 "<incarnation> <attempt>"
--       2 "present", or "removed": the record is a tombstone
--       3 version of a present space, or of the tombstone; "0": it doesn't say
--       4 how long a space that isn't present is kept (ms)
--       5 "<registry>/<space>", 6 prefix of the sets of workspaces
--       7 ... fields and values of a present space
-- The sets of workspaces are named by the bindings, and so are not among KEYS.
--
-- Replies
--   put     it is there now
--   known   what is there is as new, or newer
--   lost    the lock isn't the caller's
--
-- A state wins over an older version only, so it may be put again however often. So does a tombstone:
-- in an older copy there may be a state that wasn't published yet, of a space that was made anew. One
-- that doesn't say its version (as those of before) removes what is there. What a tombstone leaves is
-- not "absent" but not known; version and token stay for a while.

local space, registry, public = KEYS[2], KEYS[3], KEYS[4]
local becomes, version, memory, member, workspaces = unpack(ARGV, 2, 6)
local FIELDS = 7

if call('GET', KEYS[1]) ~= ARGV[1] then
    return {'lost'}
end

local state, known_version, token = unpack(
    call('HMGET', space, 'state', 'version', 'token'))
if becomes == 'present' then
    if state and (tonumber(known_version) or 0) >= tonumber(version) then
        return {'known'}
    end
elseif state ~= 'present'
    or (tonumber(version) > 0 and (tonumber(known_version) or 0) > tonumber(version)) then
    return {'known'}
end

local function join(set)
    call('ZADD', set, 0, member)
end
local function leave(set)
    call('ZREM', set, member)
end

-- What is there goes whole, so that nothing of it is left in the sets; then the new one comes.
if state then
    for _, field in ipairs(call('HKEYS', space)) do
        if string.sub(field, 1, 8) == 'binding:' then
            leave(workspaces .. string.sub(field, 9))
        end
    end
    leave(registry)
    leave(public)
end
if becomes == 'present' then
    -- The hash last: it says that all of it is there.
    join(registry)
    for i = FIELDS, #ARGV, 2 do
        local field = ARGV[i]
        if string.sub(field, 1, 8) == 'binding:' then
            join(workspaces .. string.sub(field, 9))
        elseif field == 'visibility' and ARGV[i + 1] == 'PUBLIC' then
            join(public)
        end
    end
end
if token or state then
    call('DEL', space)
end

if becomes == 'removed' then
    call('HSET', space, 'version', known_version or '0', 'token', token or '0')
    call('PEXPIRE', space, memory)
    return {'put'}
end
if (tonumber(token) or 0) < tonumber(version) then
    token = version
end
call('HSET', space, 'token', token, unpack(ARGV, FIELDS))
return {'put'}

-- SPDX-License-Identifier: Apache-2.0
-- FILL (design 6): what a lookup read from Harbor, for a space of which nothing is known here.
--
-- KEYS  1 epoch, 2 space hash, 3 set of the registry's spaces, 4 set of its public spaces
-- ARGV  1 the epoch and 2 the token (empty: none) as SPACE said them, before Harbor was read
--       3 "<registry>/<space>", 4 prefix of the sets of workspaces
--       5 ... fields and values of a present space
-- The sets of workspaces are named by the bindings, and so are not among KEYS.
--
-- Replies
--   filled       by this call
--   rebuilding   the data set has no epoch
--   space, ...   as SPACE: nothing was written, because something is known by now, a command has
--                taken a token since Redis was asked, one holds the lane, or the data set is another
--
-- Who took a token may have changed Harbor after it was read. The token rises with every claim, so
-- a call that comes late, or twice, can't bring an old state back. Nothing is known to be absent
-- here: a deleted space has its tombstone.

local epoch = call('GETRANGE', KEYS[1], 0, 63)
if epoch == '' then
    return {'rebuilding'}
end
local space, registry, public = KEYS[2], KEYS[3], KEYS[4]
local member, workspaces = ARGV[3], ARGV[4]
local FIELDS = 5

local token, state, holder = unpack(call('HMGET', space, 'token', 'state', 'holder_command'))
if state or holder or epoch ~= ARGV[1] or (token or '') ~= ARGV[2] then
    return {'space', epoch, token, holder and 1 or 0,
        state and table.concat(call('HGETALL', space), '\n')}
end

-- The hash last: it says that all of it is there.
call('ZADD', registry, 0, member)
for i = FIELDS, #ARGV, 2 do
    local field = ARGV[i]
    if string.sub(field, 1, 8) == 'binding:' then
        call('ZADD', workspaces .. string.sub(field, 9), 0, member)
    elseif field == 'visibility' and ARGV[i + 1] == 'PUBLIC' then
        call('ZADD', public, 0, member)
    end
end
-- A hash that holds only a token was to end.
call('PERSIST', space)
call('HSET', space, unpack(ARGV, FIELDS))
return {'filled'}

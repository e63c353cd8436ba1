-- SPDX-License-Identifier: Apache-2.0
-- REMEMBER (design 4.2): writes down what a command met, once, before its first write to Harbor.
--
-- KEYS  1 space hash, 2 command hash
-- ARGV  1 instance, 2 incarnation, 3 command id, 4 token
--       5 before: the space's fields and values, one a line
--       6 "1": it replaces what CLAIM took from the space's hash, before Harbor was read
--
-- Replies
--   kept   `before` is remembered, by this call or by an earlier one (that one stays, unless 6)
--   lost   another holds the lane, or the claim is gone

local space, command = KEYS[1], KEYS[2]

local lane = call('HMGET', space, 'holder_instance', 'holder_incarnation', 'holder_command',
    'token')
for i = 1, 4 do
    if lane[i] ~= ARGV[i] then
        return {'lost'}
    end
end
local digest, kind = unpack(call('HMGET', command, 'digest', 'kind'))
if not digest or kind then
    return {'lost'}
end
call(ARGV[6] == '1' and 'HSET' or 'HSETNX', command, 'before', ARGV[5])
return {'kept'}

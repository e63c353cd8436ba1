-- SPDX-License-Identifier: Apache-2.0
-- BASES (design 4.10): where the last committed transaction of each partition ended.
--
-- KEYS  1 epoch, 2 ... the bases
--
-- Replies
--   bases, one for each: the offset, or -1 when there is none
--   unknown   the data set isn't complete: nothing can be said from what isn't there

if call('EXISTS', KEYS[1]) == 0 then
    return {'unknown'}
end
local reply = {'bases'}
for i = 2, #KEYS do
    reply[i] = call('GET', KEYS[i]) or '-1'
end
return reply

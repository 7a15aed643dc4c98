-- Notes that a create call of a name may be sent now, if the claim still holds and the resource still lives.

local kind, id, token, name, folded = take(), take(), take_number(), take(), take()

local work = work_of(id)
if not work or work.lease ~= token or call('HEXISTS', P .. kind, id) == 0 then return { 'void' } end
local other = call('HGET', P .. kind .. ':intents', folded)
if other and other ~= id then
  -- A create call that is on its way may yet succeed: its intent must not be lost.
  local theirs = work_of(other)
  if theirs and theirs.lease then return { 'taken', other } end
end
intend(kind, id, name, folded)
return { 'noted' }

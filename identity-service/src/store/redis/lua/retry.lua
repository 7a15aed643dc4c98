-- Makes a resource's work due now, applied or not, and logs who did. Cost: O(log n), and a few old entries of the log go
-- (log.lua). For a repair (`deed`) only what was applied is delivered once more, with what it takes away first (`urgent`).

local deed, id, urgent = take(), take(), take_number() == 1
local now, now_text, origin = take_number(), take(), take_optional()

local work = work_of(id)
if deed == 'repair' and has_work(id) then return 0 end
local kind
local tombstone = tombstone_of(id)
if tombstone then kind = tombstone.kind end
for _, candidate in ipairs({ 'user', 'group' }) do
  if call('HEXISTS', P .. candidate, id) == 1 then kind = candidate end
end
if not kind then return 0 end
local link = link_of(id)
if link.applied_document ~= 0 then
  link.applied_document = 0
  keep_link(id, link)
end
-- Whoever asks for a try wants it now, whatever the Platform asked for.
if work then
  work.not_before = nil
  retry_refused(work)
  put_work(id, work, work.state)
end
mark(kind, id, now, nil, urgent and function(marked) hasten(id, marked) end)
log_act(deed, { kind = kind, id = id, origin = origin }, now, now_text)
return 1

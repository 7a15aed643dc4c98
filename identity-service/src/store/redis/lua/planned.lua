-- Makes a batch of work due that is only planned; gives how many.
--
-- Cost: O(log n) for each, of which there are at most a batch.

local now = take_number()

local batch = call('ZRANGE', P .. 'work:planned', 0, BATCH - 1)
for _, id in ipairs(batch) do
  local work = work_of(id)
  if work then
    mark(work.kind, id, now)
  else
    call('ZREM', P .. 'work:planned', id)
    leave_ages(id, 'planned')
  end
end
return #batch

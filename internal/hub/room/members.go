package room

// blockSize is how many members a block holds: small enough to be copied by a
// join amid a fan-out (4 KiB), large enough that the list of blocks of a big
// room stays short.
const blockSize = 512

// memberList is the members of a room, in blocks. A fan-out takes a snapshot
// and walks it without a lock; while it does, a change copies the one or two
// blocks it touches, once a snapshot. Otherwise joining and leaving move one
// pointer, whatever the size of the room.
type memberList struct {
	blocks   []*block
	count    int
	gen      uint32 // blocks of an older generation are in the snapshot
	frozen   bool   // a snapshot is in use
	ownTable bool   // blocks has been copied since the snapshot
}

type block struct {
	gen     uint32
	members []*Member
}

// snapshot returns the blocks as they are; they do not change until thaw.
// There is one snapshot at a time.
func (l *memberList) snapshot() []*block {
	l.gen++
	l.frozen, l.ownTable = true, false
	return l.blocks
}

// thaw ends the snapshot.
func (l *memberList) thaw() { l.frozen = false }

func (l *memberList) add(m *Member) {
	if n := len(l.blocks); n == 0 || len(l.blocks[n-1].members) == blockSize {
		// Behind the snapshot's end: no need for a copy of the table.
		l.blocks = append(l.blocks, &block{gen: l.gen})
	}
	last := len(l.blocks) - 1
	b := l.writable(last)
	m.block, m.slot = int32(last), int32(len(b.members))
	b.members = append(b.members, m)
	l.count++
}

// remove takes m out and puts the last member in its place.
func (l *memberList) remove(m *Member) {
	last := len(l.blocks) - 1
	tail := l.writable(last)
	n := len(tail.members) - 1
	mover := tail.members[n]
	if mover != m {
		b := l.writable(int(m.block))
		b.members[m.slot] = mover
		mover.block, mover.slot = m.block, m.slot
	}
	tail.members[n] = nil
	tail.members = tail.members[:n]
	if n == 0 {
		l.writableTable()
		l.blocks[last] = nil
		l.blocks = l.blocks[:last]
	}
	l.count--
}

// writable returns block i, copied if a snapshot holds it.
func (l *memberList) writable(i int) *block {
	b := l.blocks[i]
	if !l.frozen || b.gen == l.gen {
		return b
	}
	c := &block{gen: l.gen, members: make([]*Member, len(b.members), min(blockSize, 2*len(b.members)+1))}
	copy(c.members, b.members)
	l.writableTable()
	l.blocks[i] = c
	return c
}

func (l *memberList) writableTable() {
	if l.frozen && !l.ownTable {
		l.blocks = append(make([]*block, 0, len(l.blocks)+1), l.blocks...)
		l.ownTable = true
	}
}

// page returns up to limit members counted down from index from (the last one
// where from is negative), and the index to go on at, -1 at the end. Removal
// moves members only to lower indices than they had, so that whoever is a member
// throughout the paging is on one of the pages.
func (l *memberList) page(from, limit int) (members []*Member, next int) {
	if from < 0 || from >= l.count {
		from = l.count - 1
	}
	limit = max(limit, 0)
	members = make([]*Member, 0, min(limit, from+1))
	for ; from >= 0 && len(members) < limit; from-- {
		members = append(members, l.blocks[from/blockSize].members[from%blockSize])
	}
	return members, from
}

package room

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// listModel is a memberList next to what should be in it.
type listModel struct {
	list    memberList
	members []*Member // in no order
	frozen  []*block  // the snapshot; nil: none
	held    [][]*Member
}

func (m *listModel) add(n int) {
	for range n {
		x := new(Member)
		m.list.add(x)
		m.members = append(m.members, x)
	}
}

func (m *listModel) remove(i int) {
	m.list.remove(m.members[i])
	last := len(m.members) - 1
	m.members[i] = m.members[last]
	m.members = m.members[:last]
}

func (m *listModel) removeSome(t *rapid.T) {
	n := rapid.IntRange(0, min(700, len(m.members))).Draw(t, "leave")
	for range n {
		m.remove(rapid.IntRange(0, len(m.members)-1).Draw(t, "who"))
	}
}

func (m *listModel) snapshot() {
	m.frozen, m.held = m.list.snapshot(), nil
	for _, b := range m.frozen {
		m.held = append(m.held, slices.Clone(b.members))
	}
}

// check compares the list with the model, and the snapshot with what it was.
func (m *listModel) check(t *rapid.T) {
	if m.list.count != len(m.members) {
		t.Fatalf("count is %d, want %d", m.list.count, len(m.members))
	}
	n := 0
	for i, b := range m.list.blocks {
		if len(b.members) == 0 || i < len(m.list.blocks)-1 && len(b.members) != blockSize {
			t.Fatalf("block %d of %d holds %d", i, len(m.list.blocks), len(b.members))
		}
		n += len(b.members)
	}
	if n != len(m.members) {
		t.Fatalf("the blocks hold %d, want %d", n, len(m.members))
	}
	for _, x := range m.members {
		if m.list.blocks[x.block].members[x.slot] != x {
			t.Fatal("a member is not where it believes to be")
		}
	}
	if m.frozen == nil {
		return
	}
	if len(m.frozen) != len(m.held) {
		t.Fatal("the snapshot has grown or shrunk")
	}
	for i, b := range m.frozen {
		if !slices.Equal(b.members, m.held[i]) {
			t.Fatalf("block %d of the snapshot has changed", i)
		}
	}
}

func TestMemberListModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m listModel
		t.Repeat(map[string]func(*rapid.T){
			"":     m.check,
			"join": func(t *rapid.T) { m.add(rapid.IntRange(1, 700).Draw(t, "join")) },
			"leave": func(t *rapid.T) {
				m.removeSome(t)
			},
			"snapshot": func(t *rapid.T) {
				if m.frozen != nil {
					t.Skip("there is one at a time")
				}
				m.snapshot()
			},
			"thaw": func(*rapid.T) {
				m.list.thaw()
				m.frozen, m.held = nil, nil
			},
		})
	})
}

// TestMemberListPages pages through a list that changes between the pages.
func TestMemberListPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m listModel
		m.add(rapid.IntRange(0, 1500).Draw(t, "members"))
		throughout := make(map[*Member]bool)
		for _, x := range m.members {
			throughout[x] = true
		}
		seen := make(map[*Member]bool)
		for from, first := -1, true; first || from >= 0; first = false {
			limit := rapid.IntRange(1, 400).Draw(t, "limit")
			var page []*Member
			page, from = m.list.page(from, limit)
			if len(page) > limit || len(page) < limit && from >= 0 {
				t.Fatalf("a page of %d for a limit of %d, and on to %d", len(page), limit, from)
			}
			for _, x := range page {
				seen[x] = true
			}
			for range rapid.IntRange(0, min(100, len(m.members))).Draw(t, "leave") {
				i := rapid.IntRange(0, len(m.members)-1).Draw(t, "who")
				delete(throughout, m.members[i])
				m.remove(i)
			}
			m.add(rapid.IntRange(0, 100).Draw(t, "join"))
		}
		for x := range throughout {
			if !seen[x] {
				t.Fatal("a member throughout was on no page")
			}
		}
	})
}

func TestMemberListPageEdges(t *testing.T) {
	for _, tt := range []struct {
		name              string
		members           int
		from, limit       int
		wantLen, wantNext int
	}{
		{"nobody", 0, -1, 10, 0, -1},
		{"nobody, with a cursor", 0, 7, 10, 0, -1},
		{"all", 3, -1, 10, 3, -1},
		{"exactly all", 3, -1, 3, 3, -1},
		{"a part", 3, -1, 2, 2, 0},
		{"the rest", 3, 0, 2, 1, -1},
		{"a cursor past the end", 3, 99, 10, 3, -1},
		{"over blocks", blockSize + 1, blockSize, 2, 2, blockSize - 2},
		{"none asked for", 3, -1, 0, 0, 2},
		{"less than none asked for", 3, -1, -5, 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var m listModel
			m.add(tt.members)
			page, next := m.list.page(tt.from, tt.limit)
			if len(page) != tt.wantLen || next != tt.wantNext {
				t.Errorf("%d members and on to %d, want %d and %d", len(page), next, tt.wantLen, tt.wantNext)
			}
		})
	}
}

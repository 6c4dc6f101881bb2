package client

import "context"

// Page says which part of a list is wanted.
type Page struct {
	Limit  int    // 1 to 1000; 0 means the hub's default, 100
	Cursor string // of the page before; "" for the first
}

// MembersPage is a part of the list of a room's members.
type MembersPage struct {
	IDs    []string
	Count  int    // of all members
	Cursor string // of the next page; "" on the last
	// MissingNodes are the hubs that did not say which members they have.
	MissingNodes []string
}

// HistoryPage is a part of a room's history: the oldest message comes first,
// the next page has older ones.
type HistoryPage struct {
	Messages []RoomMessage
	Count    int    // of all messages kept
	Cursor   string // of the next page; "" on the last
}

// pageData is the data of a request for a page.
type pageData struct {
	Room   string `json:"room_id"`
	Limit  int    `json:"limit,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// Members returns a page of a room's members.
func (c *Client) Members(ctx context.Context, room string, page Page) (MembersPage, error) {
	var got struct {
		Members []string `json:"members"`
		Count   int      `json:"count"`
		Cursor  string   `json:"cursor"`
		Missing []string `json:"missing_nodes"`
	}
	if err := c.page(ctx, "room_members", room, page, &got); err != nil {
		return MembersPage{}, err
	}
	return MembersPage{IDs: got.Members, Count: got.Count, Cursor: got.Cursor, MissingNodes: got.Missing}, nil
}

// History returns a page of a room's history, the newest messages first.
func (c *Client) History(ctx context.Context, room string, page Page) (HistoryPage, error) {
	var got struct {
		Messages []roomMessage `json:"messages"`
		Count    int           `json:"count"`
		Cursor   string        `json:"cursor"`
	}
	if err := c.page(ctx, "room_history", room, page, &got); err != nil {
		return HistoryPage{}, err
	}
	p := HistoryPage{Count: got.Count, Cursor: got.Cursor}
	for _, m := range got.Messages {
		p.Messages = append(p.Messages, m.message(room))
	}
	return p, nil
}

// page asks for a page; it can be asked for twice.
func (c *Client) page(ctx context.Context, messageType, room string, page Page, v any) error {
	m, err := c.call(ctx, messageType, pageData{room, page.Limit, page.Cursor}, callOptions{repeat: always})
	if err != nil {
		return err
	}
	return m.Decode(v)
}

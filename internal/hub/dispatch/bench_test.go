package dispatch_test

import (
	"testing"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
)

func BenchmarkParseEnvelope(b *testing.B) {
	r := dispatch.NewRegistry(map[string]int{"room_message": 1})
	r.Seal()
	in := []byte(`{"message_type":"room_message","data":{"room_id":"lobby","content":{"text":"hello, everybody in this room","n":[1,2,3]}},"message_id":12345}`)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, bad := dispatch.ParseEnvelope(in, r.Intern); bad != nil {
			b.Fatal(bad)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	data := []byte(`{"room_id":"lobby","content":{"text":"hello, everybody in this room","n":[1,2,3]},"sender_id":"me"}`)
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dispatch.Frame("room_message", data, 1700000000000, 0, 12345)
		}
	})
	b.Run("buffer", func(b *testing.B) {
		var buffer dispatch.Buffer
		b.ReportAllocs()
		for b.Loop() {
			buffer.Frame("room_message", data, 1700000000000, 0, 12345)
		}
	})
}

func BenchmarkAppendString(b *testing.B) {
	for name, s := range map[string]string{"plain": "guest-01234567-89ab-cdef", "Chinese": "房间 7", "quoted": `a "room"`} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				dispatch.AppendString(buf, s)
			}
		})
	}
}

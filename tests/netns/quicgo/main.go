// quicpeer: an independent QUIC peer for the relay, written against docs/protocol.md and Debian's quic-go, sharing no
// code with us. One scenario a run; prints what it saw as "key: value" lines, judged by test_quicgo.py.
//
//	quicpeer RELAY:PORT CERTIFICATE.der SERVER-NAME SCENARIO
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const alpn = "lanparty/1"

var (
	address, serverName string
	roots               = x509.NewCertPool()
	ctx                 context.Context
)

func fail(what string, err error) {
	var application *applicationError
	var transport *transportError
	switch {
	case errors.As(err, &application):
		fmt.Printf("closed: application %d remote=%v %s\n", application.ErrorCode, application.Remote, application.ErrorMessage)
	case errors.As(err, &transport):
		fmt.Printf("closed: transport 0x%x remote=%v %s\n", uint64(transport.ErrorCode), transport.Remote, transport.ErrorMessage)
	default:
		fmt.Printf("error: %s: %v\n", what, err)
	}
}

func must(what string, err error) {
	if err != nil {
		fail(what, err)
		os.Exit(0)
	}
}

func connectTo(group int, protocol string, datagrams bool) quicConn {
	config := &tls.Config{RootCAs: roots, ServerName: serverName, NextProtos: []string{protocol}}
	conn, err := dialGroup(ctx, group, config, datagrams)
	must("connect", err)
	return conn
}

func connect(protocol string, datagrams bool) quicConn {
	return connectTo(groupOf(room), protocol, datagrams)
}

func message(value interface{}) []byte {
	text, err := json.Marshal(value)
	must("marshal", err)
	return framed(text)
}

func framed(text []byte) []byte {
	out := make([]byte, 4, 4+len(text))
	binary.BigEndian.PutUint32(out, uint32(len(text)))
	return append(out, text...)
}

func hello(role, mac string) []byte {
	fields := map[string]interface{}{"type": "hello", "version": 1, "role": role, "room": room, "budget": 1200,
		"a_field_from_the_future": []int{1, 2}}
	if mac != "" {
		fields["mac"] = mac
	}
	return message(fields)
}

func open(conn quicConn) quicStream {
	stream, err := conn.OpenStreamSync(ctx)
	must("open stream", err)
	return stream
}

func write(stream quicStream, bytes []byte) {
	_, err := stream.Write(bytes)
	must("write", err)
}

// Reads one control message and prints it.
func read(name string, stream quicStream) map[string]interface{} {
	var length [4]byte
	stream.SetReadDeadline(time.Now().Add(12 * time.Second))
	_, err := io.ReadFull(stream, length[:])
	must("read", err)
	size := binary.BigEndian.Uint32(length[:])
	if size == 0 || size > 4096 {
		fmt.Printf("error: a message of %d bytes\n", size)
		os.Exit(0)
	}
	text := make([]byte, size)
	_, err = io.ReadFull(stream, text)
	must("read", err)
	fmt.Printf("%s: %s\n", name, text)
	var value map[string]interface{}
	must("parse", json.Unmarshal(text, &value))
	return value
}

// Reads control messages until one of the type comes.
func readType(name, kind string, stream quicStream) map[string]interface{} {
	for {
		value := read(name, stream)
		if value["type"] == kind {
			return value
		}
	}
}

// Prints what else the relay says until it closes the connection.
func untilClosed(stream quicStream) {
	for {
		read("relay", stream)
	}
}

func overlay(peer uint32, frame []byte) []byte {
	out := make([]byte, 8, 8+len(frame))
	out[0] = 1
	binary.BigEndian.PutUint16(out[2:], uint16(len(frame)))
	binary.BigEndian.PutUint32(out[4:], peer)
	return append(out, frame...)
}

// An Ethernet frame: destination, source, ethertype 0x88b5 (local experimental), text.
func frame(dst, src [6]byte, text string) []byte {
	out := append(append([]byte{}, dst[:]...), src[:]...)
	out = append(out, 0x88, 0xb5)
	out = append(out, text...)
	for len(out) < 60 {
		out = append(out, 0)
	}
	return out
}

var (
	everybody = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	macA      = [6]byte{0x02, 0, 0, 0, 0, 0x0a}
	macB      = [6]byte{0x02, 0, 0, 0, 0, 0x0b}
)

func join(name, role, mac string) (quicConn, quicStream, uint32) {
	conn := connect(alpn, true)
	stream := open(conn)
	write(stream, hello(role, mac))
	welcome := readType(name, "welcome", stream)
	return conn, stream, uint32(welcome["peer_id"].(float64))
}

func receive(name string, conn quicConn) {
	waiting, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	payload, err := receiveDatagram(waiting, conn)
	if err != nil {
		fail(name, err)
		return
	}
	if len(payload) < 22 {
		fmt.Printf("error: %s: a datagram of %d bytes\n", name, len(payload))
		return
	}
	fmt.Printf("%s frame: version=%d flags=%d length=%d of %d peer=%d %s\n", name, payload[0], payload[1],
		binary.BigEndian.Uint16(payload[2:]), len(payload)-8, binary.BigEndian.Uint32(payload[4:]),
		strings.TrimRight(string(payload[22:]), "\x00"))
}

// Two clients and a gateway: welcome, peer_joined and peer_left, broadcast, unicast, unknown unicast.
func party() {
	gateway, gatewayStream, gatewayID := join("gateway", "gateway", "")
	a, _, idA := join("a", "client", "02:00:00:00:00:0a")
	b, streamB, idB := join("b", "client", "02:00:00:00:00:0b")
	fmt.Printf("ids: %d %d %d\n", gatewayID, idA, idB)
	readType("gateway", "peer_joined", gatewayStream)
	must("send", sendDatagram(a, overlay(idA, frame(everybody, macA, "to everybody"))))
	receive("b", b)
	receive("gateway", gateway)
	must("send", sendDatagram(b, overlay(idB, frame(macA, macB, "to a"))))
	receive("a", a)
	must("send", sendDatagram(b, overlay(idB, frame([6]byte{0x02, 9, 9, 9, 9, 9}, macB, "to a stranger"))))
	receive("gateway", gateway)
	a.CloseWithError(0, "")
	readType("b", "peer_left", streamB)
	b.CloseWithError(0, "")
	gateway.CloseWithError(0, "")
	fmt.Println("done: party")
}

var scenarios = map[string]func(){
	"party": party,
	"no-datagram": func() {
		conn := connect(alpn, false)
		stream := open(conn)
		write(stream, hello("client", "02:00:00:00:00:0c"))
		untilClosed(stream)
	},
	"wrong-alpn": func() {
		conn := connect("http/0.9", true)
		fmt.Println("accepted: a wrong ALPN")
		conn.CloseWithError(0, "")
	},
	"datagrams-before-hello": func() {
		conn := connect(alpn, true)
		for i := 0; i < 20; i++ {
			must("send", sendDatagram(conn, overlay(1, frame(everybody, macA, "too early"))))
		}
		stream := open(conn)
		write(stream, hello("client", "02:00:00:00:00:0d"))
		readType("relay", "welcome", stream)
		conn.CloseWithError(0, "")
	},
	"malformed-datagrams": func() {
		conn, stream, id := join("relay", "client", "02:00:00:00:00:0e")
		bad := [][]byte{{}, {1}, {2, 0, 0, 14, 0, 0, 0, 1}, overlay(id, []byte{1, 2, 3}), overlay(0, frame(everybody, macA, "x"))}
		for i := 0; i < 400; i++ {
			if sendDatagram(conn, bad[i%len(bad)]) != nil {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		untilClosed(stream)
	},
	"oversized-control": func() {
		stream := open(connect(alpn, true))
		write(stream, append([]byte{0, 0x10, 0, 0}, make([]byte, 65536)...))
		untilClosed(stream)
	},
	"zero-length-control": func() {
		stream := open(connect(alpn, true))
		write(stream, []byte{0, 0, 0, 0})
		untilClosed(stream)
	},
	"half-hello-and-end": func() {
		stream := open(connect(alpn, true))
		bytes := hello("client", "02:00:00:00:00:0f")
		write(stream, bytes[:len(bytes)/2])
		must("close", stream.Close())
		untilClosed(stream)
	},
	"half-hello-and-silence": func() {
		stream := open(connect(alpn, true))
		bytes := hello("client", "02:00:00:00:00:0f")
		write(stream, bytes[:len(bytes)/2])
		untilClosed(stream)
	},
	"slow-hello": func() { // one byte at a time is legal
		conn := connect(alpn, true)
		stream := open(conn)
		for _, each := range hello("client", "02:00:00:00:00:1f") {
			write(stream, []byte{each})
		}
		readType("relay", "welcome", stream)
		conn.CloseWithError(0, "")
	},
	"silence": func() {
		conn := connect(alpn, true)
		<-conn.Context().Done()
		_, err := conn.OpenStreamSync(ctx)
		must("silence", err)
	},
	"garbage-json": func() {
		stream := open(connect(alpn, true))
		write(stream, framed([]byte("{\"type\":\"hello\",,,\xff\x00}")))
		untilClosed(stream)
	},
	"bad-room": func() {
		stream := open(connect(alpn, true))
		write(stream, message(map[string]interface{}{"type": "hello", "version": 1, "role": "client", "room": "a room/..",
			"mac": "02:00:00:00:00:0f", "budget": 1200}))
		untilClosed(stream)
	},
	"other-version": func() {
		stream := open(connect(alpn, true))
		write(stream, message(map[string]interface{}{"type": "hello", "version": 2}))
		untilClosed(stream)
	},
	"two-hellos": func() {
		stream := open(connect(alpn, true))
		write(stream, append(hello("client", "02:00:00:00:00:2f"), hello("client", "02:00:00:00:00:3f")...))
		untilClosed(stream)
	},
	"wrong-shard": func() { // both of two groups side by side are on one shard only if there is only one
		stream := open(connectTo((groupOf(room)+1)%32, alpn, true))
		write(stream, hello("client", "02:00:00:00:00:7f"))
		answer := read("relay", stream)
		if answer["type"] == "welcome" {
			return
		}
		conn := connectTo(int(answer["cid_byte"].(float64))>>3, alpn, true)
		stream = open(conn)
		write(stream, hello("client", "02:00:00:00:00:7f"))
		readType("there", "welcome", stream)
		conn.CloseWithError(0, "")
	},
	"unknown-message": func() { // skipped, not punished
		conn, stream, _ := join("relay", "client", "02:00:00:00:00:4f")
		write(stream, message(map[string]interface{}{"type": "from_the_future", "x": 1}))
		other, _, _ := join("other", "client", "02:00:00:00:00:5f")
		readType("relay", "peer_joined", stream)
		other.CloseWithError(0, "")
		readType("relay", "peer_left", stream)
		conn.CloseWithError(0, "")
		fmt.Println("done: unknown message")
	},
	"many-streams": func() { // only the first stream is for control; more are refused or ignored
		conn, stream, _ := join("relay", "client", "02:00:00:00:00:6f")
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		for i := 0; i < 200; i++ {
			extra, err := conn.OpenUniStreamSync(short)
			if err != nil {
				break
			}
			extra.Write(make([]byte, 10000))
		}
		write(stream, message(map[string]interface{}{"type": "disconnect", "reason": "quit"}))
		untilClosed(stream)
	},
}

func main() {
	if len(os.Args) != 5 || scenarios[os.Args[4]] == nil {
		fmt.Fprintln(os.Stderr, "usage: quicpeer RELAY:PORT CERTIFICATE.der SERVER-NAME SCENARIO")
		os.Exit(2)
	}
	der, err := os.ReadFile(os.Args[2])
	must("certificate", err)
	certificate, err := x509.ParseCertificate(der)
	must("certificate", err)
	roots.AddCert(certificate)
	address, serverName = os.Args[1], os.Args[3]
	var cancel context.CancelFunc
	ctx, cancel = context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	scenarios[os.Args[4]]()
}

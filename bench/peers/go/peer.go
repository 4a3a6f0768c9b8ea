// Keys from a file, a chart for each over HTTP, a row for each into PostgreSQL:
// what one would write in Go. Workers on a channel, connections kept alive, rows
// by COPY in batches of 512 over two connections.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
)

const (
	batchRows  = 512
	writers    = 2
	bodyMax    = 1 << 20
	timeout    = 30 * time.Second
	gcPercent  = 400 // the heap is small: less often is cheaper
	userAgent  = "Mozilla/5.0 (compatible; peer/1.0)"
	chartsPath = "/v8/finance/chart/"
)

var columns = []string{"symbol", "price", "extracted_time"}

type answer struct {
	Chart struct {
		Result []struct {
			Meta struct {
				Price json.Number `json:"regularMarketPrice"`
			} `json:"meta"`
		} `json:"result"`
	} `json:"chart"`
}

// fetch returns the row of one key. The price keeps the digits that were sent.
func fetch(client *http.Client, base, key string, body *bytes.Buffer) ([]interface{}, error) {
	request, err := http.NewRequest("GET", base+chartsPath+key+"?range=1d&interval=1d", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", userAgent)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body.Reset()
	if _, err = body.ReadFrom(io.LimitReader(response.Body, bodyMax)); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", key, response.StatusCode)
	}
	var got answer
	if err = json.Unmarshal(body.Bytes(), &got); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if len(got.Chart.Result) == 0 || got.Chart.Result[0].Meta.Price == "" {
		return nil, fmt.Errorf("%s: no price", key)
	}
	price := &pgtype.Numeric{}
	if err = price.Set(string(got.Chart.Result[0].Meta.Price)); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return []interface{}{key, price, time.Now().UTC()}, nil
}

// write stores the rows as they come, a batch at a time.
func write(ctx context.Context, dsn string, rows <-chan []interface{}) error {
	connection, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer connection.Close(ctx)
	batch := make([][]interface{}, 0, batchRows)
	flush := func() error {
		_, err := connection.CopyFrom(ctx, pgx.Identifier{"prices"}, columns,
			pgx.CopyFromRows(batch))
		batch = batch[:0]
		return err
	}
	for row := range rows {
		batch = append(batch, row)
		if len(batch) == batchRows {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func readKeys(path string, keys chan<- string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		keys <- lines.Text()
	}
	close(keys)
	return lines.Err()
}

func newClient(concurrency int) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		MaxIdleConns: concurrency, MaxIdleConnsPerHost: concurrency,
		MaxConnsPerHost: concurrency, DisableCompression: true,
	}}
}

func main() {
	base := flag.String("url", "", "scheme, host and port")
	file := flag.String("keys", "", "a key a line")
	dsn := flag.String("dsn", "", "of PostgreSQL")
	concurrency := flag.Int("concurrency", 64, "requests in flight")
	cores := flag.Int("cores", 1, "threads that run Go at a time")
	flag.Parse()
	runtime.GOMAXPROCS(*cores)
	debug.SetGCPercent(gcPercent)

	keys := make(chan string, *concurrency)
	rows := make(chan []interface{}, 2*batchRows)
	client := newClient(*concurrency)
	var fetching, writing sync.WaitGroup
	for i := 0; i < *concurrency; i++ {
		fetching.Add(1)
		go func() {
			defer fetching.Done()
			var body bytes.Buffer
			for key := range keys {
				row, err := fetch(client, *base, key, &body)
				if err != nil {
					log.Fatal(err)
				}
				rows <- row
			}
		}()
	}
	for i := 0; i < writers; i++ {
		writing.Add(1)
		go func() {
			defer writing.Done()
			if err := write(context.Background(), *dsn, rows); err != nil {
				log.Fatal(err)
			}
		}()
	}
	if err := readKeys(*file, keys); err != nil {
		log.Fatal(err)
	}
	fetching.Wait()
	close(rows)
	writing.Wait()
}

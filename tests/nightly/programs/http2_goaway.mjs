// A client of HTTP/2 leaves with GOAWAY. This program does not use the package.

import { connect, createServer } from "node:http2";
import process from "node:process";

const ROUNDS = 20;

const server = createServer();
server.listen(0, "127.0.0.1", async () => {
  for (let i = 0; i < ROUNDS; i++) {
    const session = connect(`http://127.0.0.1:${server.address().port}`);
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const closed = new Promise((resolve) => session.once("close", resolve));
    session.destroy();
    await closed;
  }
  console.log("survived");
  process.exit();
});

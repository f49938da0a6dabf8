// emulate listens on every interface and has no option against it: it gets a socket that listens.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function () {
  return listen.call(this, { fd: Number(process.env.LISTENER) });
};

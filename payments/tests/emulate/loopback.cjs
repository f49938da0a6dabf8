// emulate listens on every interface and has no option against it.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const callback = rest.find((part) => typeof part === "function");
  return listen.call(this, { port: Number(port?.port ?? port), host: "127.0.0.1" }, callback);
};

// SPDX-License-Identifier: MIT
// Strict: a backend that holds code to a GPU's rules on the host. Its memory can be reached inside
// primitives only, indices run in an order of one's choice, and each prepares for itself.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <numeric>
#include <polyq/backend/command_machine.hpp>
#include <polyq/backend/thrust.hpp>

namespace test {

enum class Order { forward, reverse, shuffled };

/// Calls f(i) for 0 ≤ i < n in an order.
template <class F>
void in_order(Order order, std::int64_t n, F f) {
  std::int64_t stride = 0x9E3779B1;  // any number without a factor in common with n
  while (n > 0 && std::gcd(stride, n) != 1) ++stride;
  for (std::int64_t i = 0; i < n; ++i)
    f(order == Order::forward ? i : order == Order::reverse ? n - 1 - i : (i * stride + n / 2) % n);
}

/// A team whose workers take their items in an order; what it reduces, it does in the one order.
struct OrderedTeam : polyq::backend::SerialTeam {
  Order order;
  explicit OrderedTeam(Order o) : order(o) {}
  template <class F>
  void for_each(int width, F f) const {
    in_order(order, width, [&](std::int64_t k) { f(int(k)); });
  }
};

/// Memory behind a wall, which stands unless an Opening lives.
class Walled {
 public:
  class Opening {
   public:
    explicit Opening(Walled& memory) : memory_(memory) {
      if (memory_.openings_++ == 0) memory_.protect(PROT_READ | PROT_WRITE);
    }
    ~Opening() {
      if (--memory_.openings_ == 0) memory_.protect(PROT_NONE);
    }
    Opening(const Opening&) = delete;
    Opening& operator=(const Opening&) = delete;

   private:
    Walled& memory_;
  };

  Walled()
      : begin_(static_cast<std::byte*>(mmap(nullptr, reserved, PROT_NONE,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    if (begin_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~Walled() { munmap(begin_, reserved); }
  Walled(const Walled&) = delete;
  Walled& operator=(const Walled&) = delete;

  void* take(std::size_t bytes) {
    std::byte* const here = begin_ + used_;
    used_ += (bytes + page - 1) / page * page;
    if (used_ > reserved) throw std::bad_alloc();
    return here;
  }

 private:
  static constexpr std::size_t page = 4096, reserved = std::size_t{1} << 32;
  void protect(int how) {
    if (used_ > 0 && mprotect(begin_, used_, how) != 0) throw std::bad_alloc();
  }
  std::byte* begin_;
  std::size_t used_ = 0;
  int openings_ = 0;
};

struct Strict {
  static constexpr polyq::backend::Memory memory = polyq::backend::Memory::device;
  Order order = Order::forward;

  class Machine : public polyq::backend::CommandMachine {
    using Base = polyq::backend::CommandMachine;

   public:
    using Storage = polyq::backend::ThrustStorage;
    struct WithTheMachine {
      void operator()(void*) const {}
    };
    template <class T>
    using Owned = std::unique_ptr<T[], WithTheMachine>;

    explicit Machine(Strict settings) : order_(settings.order) {}
    static constexpr bool fuses(polyq::backend::Fusion) { return false; }

    template <class T>
    Owned<T> allocate(std::size_t n, const char* what = "an array") {
      (void)Base::allocate<T>(n, what);  // refuses what a machine refuses
      return Owned<T>(static_cast<T*>(memory_.take(n * sizeof(T))));
    }
    void zero(void* to, std::size_t bytes) {
      walled([to, bytes] { std::memset(to, 0, bytes); });
    }
    template <class T>
    void upload(T* to, const T* from, std::size_t n) {
      const Walled::Opening opening(memory_);
      Base::upload(to, from, n);
    }
    template <class T>
    void download(T* to, const T* from, std::size_t n) {
      const Walled::Opening opening(memory_);
      Base::download(to, from, n);
    }
    template <class F>
    void for_each(std::int64_t n, F f) {
      ordered(n, polyq::backend::EachAlone<F>{f});
    }
    template <class F>
    void for_each_element(std::int64_t n, F f) {
      ordered(n, polyq::backend::ElementAlone<F>{f});
    }
    template <class F>
    void for_each_team(std::int64_t n, F f) {
      ordered(n, [f, team = OrderedTeam(order_)](std::int64_t i) {
        const auto each = polyq::backend::prepared(f);
        if (polyq::backend::is_active(each)) each(team, i);
      });
    }
    template <class F>
    void sum(std::int64_t n, F f, float* out) {
      walled([n, f, out] {
        float total = 0;
        for (std::int64_t i = 0; i < n; ++i)
          total += polyq::backend::prepared(f)(polyq::backend::ScalarLane{i});
        *out = total;
      });
    }
    template <class X, class Y, class Out>
    void matmul(X x, Y y, Out out) {
      for_each(std::int64_t{Out::rows} * Out::columns,
               polyq::backend::ProductElement<X, Y, Out>{x, y, out});
    }

   private:
    template <class Command>
    void walled(Command command) {
      enqueue([this, command] {
        const Walled::Opening opening(memory_);
        command();
      });
    }
    template <class F>
    void ordered(std::int64_t n, F f) {
      walled([order = order_, n, f] { in_order(order, n, f); });
    }
    Order order_;
    Walled memory_;
  };
};

}  // namespace test
